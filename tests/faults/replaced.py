#!/usr/bin/env python3
"""The server that PostgreSQL's primary was replaced by, when things go wrong.

A standby that was behind is promoted: nothing is served from it, and the primary that comes back is gone on with. A primary
that is frozen, not dead, is left as soon as its standby is promoted.

usage: replaced.py [--build DIR]
"""
import argparse
import os
import random
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger  # noqa: E402
from postgres import postgres, url_of_several  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
STREAM = "/v1/streams/kept/events"
EVENT = {"events": [{"type": "replaced.tested", "data": 1}]}
# A promise: so soon after a promotion it is written again.
WRITTEN_AGAIN_S = 10


class replaced(unittest.TestCase):
    def entering(self, what):
        """Until the test's end."""
        self.addCleanup(what.close)
        return what.__enter__()

    def serving(self, databases, plugins=(), data=None):
        settings = {"store.url": url_of_several(databases), "store.schema": "served", "store.connect_timeout_ms": 2000}
        server = flexcore.server(BUILD, list(plugins), settings, data=data)
        self.addCleanup(server.close)
        server.start()
        return server

    def ask(self, server, method, target, body=None):
        one = server.client()
        try:
            return one.ask(method, target, body)
        finally:
            one.close()

    def append(self, server):
        return self.ask(server, "POST", STREAM, EVENT).status

    def test_a_standby_that_lacks_an_event_is_not_served_from(self):
        primary, behind, server = self.left_behind(lambda server: self.assertEqual(201, self.append(server)))
        # It takes writes, and has one of two events that were acknowledged.
        self.assertEqual("1", behind.psql("SELECT position FROM served.log_head"))
        self.refused(server, behind, "events are missing")
        self.goes_on_with(primary, behind, server, [1, 2, 3])

    def test_a_standby_that_lacks_only_a_deletion_is_not_served_from(self):
        primary, behind, server = self.left_behind(lambda server: self.assertEqual(204, self.ask(server, "DELETE", "/v1/streams/kept").status))
        self.refused(server, behind, "changes are missing")
        self.goes_on_with(primary, behind, server, [2])

    def left_behind(self, acknowledge):
        """A standby that was down when `acknowledge` was, and is promoted since: (primary, which is down, standby, server)."""
        primary = self.entering(postgres(BUILD, fsync=True))
        behind = primary.standby("behind")
        self.addCleanup(behind.close)
        server = self.serving([primary, behind])
        self.assertEqual(201, self.append(server))
        end = primary.psql("SELECT pg_current_wal_lsn()")
        flexcore.wait_until(lambda: behind.psql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t", "the standby to keep up")
        behind.stop()
        acknowledge(server)
        primary.kill()
        behind.start()
        behind.promote()
        return primary, behind, server

    def refused(self, server, behind, why):
        flexcore.wait_until(lambda: why in server.log(1 << 20), "the standby to be refused")
        for _ in range(20):
            self.assertEqual(503, self.append(server))
            for target in (STREAM, "/v1/events", "/v1/streams/kept"):
                answer = self.ask(server, "GET", target)
                self.assertEqual(503, answer.status, f"{target}: {answer.body[:300]!r}")
        self.assertEqual("1 0", behind.psql("SELECT position || ' ' || (SELECT count(*) FROM served.events WHERE position > 1) "
                                            "FROM served.log_head"))

    def goes_on_with(self, primary, behind, server, versions):
        """What was mistaken was not taken for the new order of things, nor is it at a start that finds it first."""
        primary.start()
        flexcore.wait_until(lambda: self.append(server) == 201, "the primary to be written to again")
        self.assertEqual(versions, [event["version"] for event in self.ask(server, "GET", STREAM).json()["items"]])
        self.assertEqual(0, server.stop())
        again = self.serving([behind, primary], data=server.data)
        self.assertEqual(versions, [event["version"] for event in self.ask(again, "GET", STREAM).json()["items"]])
        self.assertEqual(0, again.stop())

    def test_a_frozen_primary_is_left_when_its_standby_is_promoted(self):
        primary = self.entering(postgres(BUILD, fsync=True))
        second = primary.standby("second", synchronous=True)
        self.addCleanup(second.close)
        server = self.serving([primary, second], ("counter", "orders"))
        book, dice = ledger(), random.Random(self.id())
        running = clients.load(server.port, book, dice)
        flexcore.wait_until(lambda: book.count()[1] > 200, "acknowledgements under load")
        primary.freeze()
        flexcore.wait_until(lambda: self.ask(server, "GET", "/readyz").status == 503, "the silence to be noticed")
        second.promote()
        before = book.count()[1]
        flexcore.wait_until(lambda: book.count()[1] > before, "a write after the promotion", bound_s=WRITTEN_AGAIN_S)
        flexcore.wait_until(lambda: book.count()[1] > before + 100, "the load to go on")
        running.end()
        clients.send_again(server.port, book)
        events = checks.everything_holds(server.client(), book)
        checks.commands_took_effect_once(book, events)
        self.assertEqual(0, server.stop())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, rest = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2, warnings="ignore")
