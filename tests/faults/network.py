#!/usr/bin/env python3
"""Between the server and its PostgreSQL the network delays, slices to single bytes, resets, cuts in the middle of a message, refuses
connections, loses answers and goes silent, under load: nothing acknowledged is lost or doubled, versions have one winner, positions
no gap. That it is not known whether something was written must have come.

usage: network.py [--build DIR] [--rounds 12] [--seed N]
"""
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger  # noqa: E402
from one_run import one_run  # noqa: E402
from postgres import postgres  # noqa: E402
from tcp_proxy import CLIENT, tcp_proxy  # noqa: E402

STATEMENT_MS = 2_000  # so that silence is noticed soon
NOT_KNOWN = "it is not known whether a batch was written"
WHOLE_LOG = 1 << 30


def for_a_while(seconds):
    """A fault lasts as long as the dice say, not until something has happened."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)  # polling interval


def refuse_for_a_while(between, dice):
    between.refuse()
    between.reset()
    for_a_while(dice.uniform(0.05, 0.5))


def silent_for_a_while(between, dice):
    between.hold()
    for_a_while(STATEMENT_MS / 1000 + dice.uniform(1, 2))


FAULTS = {
    "reset": lambda between, dice: between.reset(),
    # What the server was asked is done, and each session is reset as the answer comes.
    "answers lost": lambda between, dice: between.cut_after(0, CLIENT),
    "cut in the middle": lambda between, dice: between.cut_after(dice.randrange(1, 4_000)),
    "single bytes": lambda between, dice: between.slice(1),
    "delay": lambda between, dice: between.delay(dice.uniform(0.01, 0.1)),
    "refused": refuse_for_a_while,
    "silent": silent_for_a_while,
}


def run(options, dice):
    book = ledger()
    with postgres(options.build) as one, tcp_proxy(one.port) as between:
        settings = {"store.url": one.url(port=between.port), "store.schema": "served", "store.connect_timeout_ms": 1000,
                    "store.statement_timeout_ms": STATEMENT_MS}
        with flexcore.server(options.build, ["counter", "orders"], settings) as server:
            try:
                for number in range(1, options.rounds + 1):
                    name = list(FAULTS)[number % len(FAULTS)]
                    running = clients.load(server.port, book, dice)
                    before = book.count()[1]
                    flexcore.wait_until(lambda: book.count()[1] > before + 40, "acknowledgements under load")
                    FAULTS[name](between, dice)
                    for_a_while(dice.uniform(0.1, 0.6))
                    between.heal()
                    before = book.count()[1]
                    flexcore.wait_until(lambda: book.count()[1] > before + 40, f"the load to go on after: {name}")
                    running.end()
                    flexcore.wait_until(lambda: server.client().ask("GET", "/v1/events?limit=1").status == 200, "reads to go on")
                    events = checks.everything_holds(server.client(), book)
                    clients.send_again(server.port, book)
                    sent, told, refused, open_ = book.count()
                    print(f"round {number}, {name}: {len(events)} events; {sent} sent, {told} acknowledged, {refused} refused, "
                          f"{open_} without answer", flush=True)
                checks.commands_took_effect_once(book, checks.everything_holds(server.client(), book))
                checks.everybody_took_part(book, clients.KINDS)
                times = server.log(WHOLE_LOG).count(NOT_KNOWN)
                print(f"{times} times it was not known whether a batch was written")
                checks.demand(times > 0, "it was always known whether a batch was written")
                checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
            except flexcore.failure:
                print(f"--- log of the server\n{server.log(3000)}")
                raise


if __name__ == "__main__":
    sys.exit(one_run(run, "nothing acknowledged was lost or doubled by the network", rounds=12))
