#!/usr/bin/env python3
"""Two servers on one schema, started at the same moment, both under load: commands meet on the same aggregates, both fill the
same read models.

One rebuilds a projection; one is killed and comes back. Nothing acknowledged is lost or doubled, no command is refused for
what the other had written meanwhile or for what this one has not heard of yet, both serve the same rows, and neither throws
away unasked what the other had filled.

usage: two_servers.py [--build DIR] [--seed N]
"""
import glob
import os
import sys
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from checks import demand  # noqa: E402
from ledger import ledger  # noqa: E402
from one_run import one_run  # noqa: E402
from postgres import postgres  # noqa: E402

ROUND = 400  # acknowledgements
CROSSINGS = 40
STREAMS_KEPT = 3


def more(book, what):
    before = book.count()[1]
    flexcore.wait_until(lambda: book.count()[1] > before + ROUND, what)


def started_together(servers, ended):
    """A server ends with the thread that has started it: these stay until `ended` is set."""
    started = threading.Barrier(len(servers) + 1)

    def start(one):
        one.start()
        started.wait(flexcore.SOON_S)
        ended.wait()
    for one in servers:
        threading.Thread(target=start, args=(one,), daemon=True).start()
    try:
        started.wait(flexcore.SOON_S)
    except threading.BrokenBarrierError:
        raise flexcore.failure("servers that start together do not all start") from None


def said_in_any_life(server, text):
    found = []
    for name in sorted(glob.glob(os.path.join(server.folder, "log-*"))):
        with open(name, encoding="utf-8", errors="replace") as file:
            found += [line.rstrip() for line in file if text in line]
    return found


def ask(server, body, status, what):
    answer = server.client().ask("POST", "/v1/commands", body)
    demand(answer.status == status, f"{what}: {answer.status} {answer.body[:300]!r}")
    return answer.json()


def each_knows_what_the_other_did(one, two):
    """At once, though nobody has told it: refusals are proven against the log."""
    line = {"sku": "s", "description": "d", "quantity": 1, "unit_price_minor": 5}
    for number in range(CROSSINGS):
        here, there = (one, two) if number % 2 else (two, one)
        name = f"crossing-{number}"
        order = {"customer": None, "country": "UK", "currency": "GBP", "lines": [line]}
        # Asked for before it is there, it is known as absent.
        missing = ask(there, {"type": "sales.ship_order", "id": name, "data": {"carrier": "x"}}, 422, "an order that nobody placed")
        demand(missing["reason"] == "order_not_found", f"an order that nobody placed: {missing}")
        ask(here, {"type": "sales.place_order", "id": name, "data": order}, 200, "an order")
        ask(there, {"type": "sales.ship_order", "id": name, "data": {"carrier": "x"}, "expected_version": 1}, 200,
            "an order that the other has placed, with its version")
        again = ask(here, {"type": "sales.ship_order", "id": name, "data": {"carrier": "x"}}, 422, "an order that the other has shipped")
        demand(again["reason"] != "order_not_found", f"an order that the other has shipped: {again}")


def rebuilds(server):
    answer = server.client().ask("POST", "/v1/projections/counters/rebuild")
    demand(answer.status == 202, f"a rebuild is answered {answer.status}: {answer.body[:200]!r}")


def both_serve(one, two):
    """Each serves what the other has just written."""
    for here, there in ((one, two), (two, one)):
        told = ask(here, {"type": "counter.increment", "id": "seen-by-both", "data": {"by": 1}}, 200, "a command")
        row = there.client().ask("GET", f"/v1/read-models/counters/seen-by-both?min_position={told['position']}&wait_ms=20000")
        demand(row.status == 200 and row.json()["row"]["value"] == told["version"], f"the other's row: {row.status} {row.body[:200]!r}")


def keep_little(server):
    """Streams that lose most of their events: both servers find out that there is something to remove."""
    client = server.client()
    for number in range(STREAMS_KEPT):
        for _ in range(3):
            events = {"events": [{"type": "fault.tested", "data": 1} for _ in range(200)]}
            demand(client.ask("POST", f"/v1/streams/little-{number}/events", events).status == 201, "an append")
        demand(client.ask("PUT", f"/v1/streams/little-{number}/settings", {"max_count": 1}).status in (200, 204), "settings")


def run(options, dice):
    book = ledger()
    build = options.build
    with postgres(build, fsync=True) as database:
        both = {"store.url": database.url(), "store.schema": "shared"}
        one, two = (flexcore.server(build, ["counter", "orders"], both) for _ in range(2))
        ended = threading.Event()
        try:
            started_together((one, two), ended)
            both_serve(one, two)
            each_knows_what_the_other_did(one, two)
            rebuilds(one)
            both_serve(one, two)
            begun = flexcore.head(two.client())
            first, second = clients.load(one.port, book, dice), clients.load(two.port, book, dice)
            more(book, "acknowledgements of both")
            rebuilds(two)
            more(book, "acknowledgements beside a rebuild")
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
                events = flexcore.whole_log(server.client())
                hidden = checks.check_kept(server.client(), book, events)
                checks.log_is_sound(events, {keeper.name for keeper in book.keepers}, hidden)
                checks.ledger_holds(book, [event for event in events if event["position"] > begun])
                checks.read_models_hold(server.client(), events)
                rebuilt = [line for line in said_in_any_life(server, "a projection is rebuilt") if "orders" in line]
                demand(not rebuilt, f"read models were made again: {rebuilt[:3]}")
            demand(not book.unexpected, f"unexpected answers: {book.unexpected[:3]}")
            checks.everybody_took_part(book, clients.KINDS)
            keep_little(one)
            flexcore.wait_until(lambda: database.psql("SELECT count(*) FROM shared.events e JOIN shared.streams s ON s.id = e.stream "
                                                      "WHERE s.name LIKE 'little-%'") == str(STREAMS_KEPT), "the rest to be removed")
            for server in (one, two):
                failed = said_in_any_life(server, "housekeeping failed")
                demand(not failed, f"servers that remove at once are in each other's way: {failed[:2]}")
                demand(server.stop() == 0, "a server does not exit 0 after SIGTERM")
            sent, told, refused, _ = book.count()
            print(f"{len(events)} events; {sent} sent, {told} acknowledged, {refused} refused")
        finally:
            one.close()
            two.close()
            ended.set()


if __name__ == "__main__":
    sys.exit(one_run(run, "two servers on one log agreed; nothing acknowledged was lost or doubled"))
