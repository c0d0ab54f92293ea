#!/usr/bin/env python3
"""Two servers on one schema, both under load: commands meet on the same aggregates, both fill the same read models.

One is killed and comes back. Afterwards nothing acknowledged is lost or doubled, no command was refused for what the other
had written meanwhile, both serve the same rows, and neither has thrown away and rebuilt what the other had filled.

usage: two_servers.py [--build DIR] [--seed N]
"""
import os
import sys

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

ROUND = 400  # acknowledgements
WHOLE_LOG = 1 << 30


def more(book, what):
    before = book.count()[1]
    flexcore.wait_until(lambda: book.count()[1] > before + ROUND, what)


def run(options, dice):
    book = ledger()
    build = options.build
    with postgres(build, fsync=True) as database:
        both = {"store.url": database.url(), "store.schema": "shared"}
        with flexcore.server(build, ["counter", "orders"], both) as one, flexcore.server(build, ["counter", "orders"], both) as two:
            first, second = clients.load(one.port, book, dice), clients.load(two.port, book, dice)
            more(book, "acknowledgements of both")
            first.kill(one)
            more(book, "the other to go on alone")
            one.start()
            first = clients.load(one.port, book, dice)
            more(book, "acknowledgements of both again")
            first.end()
            second.end()
            clients.send_again(two.port, book)
            # What one has written the other is told within a second or two.
            flexcore.wait_until(lambda: flexcore.head(one.client()) == flexcore.head(two.client()), "one end of the log")
            for server in (one, two):
                events = checks.everything_holds(server.client(), book)
                rebuilt = [line for line in server.log(WHOLE_LOG).splitlines() if "is rebuilt" in line or "were dropped" in line]
                checks.demand(not rebuilt, f"read models were made again: {rebuilt[:3]}")
            checks.commands_took_effect_once(book, events)
            checks.everybody_took_part(book, clients.KINDS)
            for server in (one, two):
                checks.demand(server.stop() == 0, "a server does not exit 0 after SIGTERM")
            sent, told, refused, _ = book.count()
            print(f"{len(events)} events; {sent} sent, {told} acknowledged, {refused} refused")


if __name__ == "__main__":
    sys.exit(one_run(run, "two servers on one log agreed; nothing acknowledged was lost or doubled"))
