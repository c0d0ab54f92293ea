#!/usr/bin/env python3
"""What became of a batch is unknown when its session is lost before the answer: what is looked up then must be the truth, of
appends and deletions, whatever another server has written meanwhile; and a batch that loses its session each time does not hold
up the others.

usage: unsure.py [--build DIR] [--seed N]
"""
import os
import sys
import threading

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import flexcore  # noqa: E402
from checks import demand  # noqa: E402
from one_run import one_run  # noqa: E402
from postgres import postgres  # noqa: E402
from tcp_proxy import CLIENT, SERVER, tcp_proxy  # noqa: E402

SCHEMA = "shared"
EVENT = {"events": [{"type": "fault.tested", "data": 1}]}
LOST_BYTES = 300_000
SOON_S = 60


def answered(client, method, target, body, status):
    answer = client.ask(method, target, body)
    demand(answer.status == status, f"{method} {target} is answered {answer.status}: {answer.body[:200]!r}, not {status}")
    return answer


class later:
    """A request whose answer is awaited elsewhere."""

    def __init__(self, server, *words):
        self.answer = None
        self.thread = threading.Thread(target=self._ask, args=(server.client(SOON_S), words), daemon=True)
        self.thread.start()

    def _ask(self, client, words):
        self.answer = client.ask(*words)

    def get(self):
        self.thread.join(SOON_S)
        demand(self.answer is not None, "a request has no answer")
        return self.answer


def deletion_takes_effect_once(database, between, one, two):
    """One deletes, and does not hear that it is done; the other writes the stream again and is told so."""
    for _ in range(2):
        answered(one.client(), "POST", "/v1/streams/gone-1/events", EVENT, 201)
    between.hold(CLIENT)
    deletion = later(one, "DELETE", "/v1/streams/gone-1?expected_version=2")
    flexcore.wait_until(lambda: database.psql(f"SELECT count(*) FROM {SCHEMA}.stream_rules WHERE deleted = 1") == "1",
                        "the deletion to be stored")
    answered(two.client(), "POST", "/v1/streams/gone-1/events", {**EVENT, "expected_version": 0}, 201)
    between.reset()
    between.heal()
    demand(deletion.get().status == 204, f"a deletion that is done is answered {deletion.answer.status}: {deletion.answer.body[:200]!r}")
    page = answered(two.client(), "GET", "/v1/streams/gone-1/events", None, 200).json()
    demand([event["version"] for event in page["items"]] == [3], f"what was written after a deletion is {page['items']}")


def append_takes_effect_once(database, between, one, two, stream, meanwhile):
    """It is written, the answer is lost: its client is told what was done. meanwhile: the log has gone on before that is looked up."""
    # Afterwards all names are known, and the log's end: nothing has to be looked up first.
    for _ in range(2):
        answered(one.client(), "POST", f"/v1/streams/{stream}/events", EVENT, 201)
    between.hold(CLIENT)
    append = later(one, "POST", f"/v1/streams/{stream}/events", EVENT)
    there = (f"SELECT e.position, e.version FROM {SCHEMA}.events e JOIN {SCHEMA}.streams s ON s.id = e.stream "
             f"WHERE s.name = '{stream}' AND e.version > 2")
    flexcore.wait_until(lambda: database.psql(there) != "", "the append to be stored")
    if meanwhile:
        answered(two.client(), "POST", "/v1/streams/other-1/events", EVENT, 201)
    between.reset()
    between.heal()
    demand(append.get().status == 201, f"an append that is done is answered {append.answer.status}: {append.answer.body[:200]!r}")
    told = append.answer.json()
    rows = database.psql(there)
    demand(rows == f"{told['position']}|3" and told["last_version"] == 3, f"an append was told {told}, and is there as {rows!r}")


def a_batch_that_is_always_lost(between, one):
    """It is refused in the end, and what comes after it is written."""
    between.cut_after(LOST_BYTES, SERVER)
    large = later(one, "POST", "/v1/streams/large-1/events", {"events": [{"type": "fault.tested", "data": "x" * 2 * LOST_BYTES}]})
    demand(large.get().status == 503, f"an append that is always lost is answered {large.answer.status}: {large.answer.body[:200]!r}")
    flexcore.wait_until(lambda: one.client().ask("POST", "/v1/streams/small-1/events", EVENT).status == 201,
                        "another append to be written")
    between.heal()
    demand(one.client().ask("GET", "/v1/streams/large-1/events").status == 404, "what was refused is there")


def run(options, _dice):
    with postgres(options.build) as database, tcp_proxy(database.port) as between:
        far = {"store.schema": SCHEMA, "store.url": database.url(port=between.port)}
        near = {"store.schema": SCHEMA, "store.url": database.url()}
        with flexcore.server(options.build, [], far) as one, flexcore.server(options.build, [], near) as two:
            deletion_takes_effect_once(database, between, one, two)
            append_takes_effect_once(database, between, one, two, "lost-1", meanwhile=False)
            append_takes_effect_once(database, between, one, two, "lost-2", meanwhile=True)
            a_batch_that_is_always_lost(between, one)
            for server in (one, two):
                demand(server.stop() == 0, "a server does not exit 0 after SIGTERM")


if __name__ == "__main__":
    sys.exit(one_run(run, "what was unsure took effect once, and held up nobody"))
