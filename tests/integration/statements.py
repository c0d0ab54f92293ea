#!/usr/bin/env python3
"""What the server sends to PostgreSQL, as PostgreSQL's own log has it: next to nothing when it is idle, and a batch of rows at once.

usage: statements.py [--build DIR]
"""
import argparse
import os
import re
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support")]
import flexcore  # noqa: E402
from postgres import OWNER, postgres  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
# Each statement is a line that begins so; its text may go on over more of them.
LINE = re.compile(rf"^(\d+\.\d+) {OWNER} LOG:  (statement: |execute [^:]*: )(.*)", re.M)
IDLE_S = 8
ROWS = 2_000
COMMANDS_MAX = 1_000  # in a batch


class statements(unittest.TestCase):
    def serving(self, plugins):
        self.one = postgres(BUILD, settings={"log_statement": "all", "log_line_prefix": "%n %u "})
        self.addCleanup(self.one.close)
        self.one.start()
        server = flexcore.server(BUILD, plugins, {"store.url": self.one.url(), "store.schema": "served"})
        self.addCleanup(server.close)
        server.start()
        self.client = server.client()
        self.addCleanup(self.client.close)

    def now(self):
        """By the database's clock, as its log has it."""
        return float(self.one.psql("SELECT extract(epoch FROM clock_timestamp())"))

    def sent(self, begin, end):
        with open(self.one.log_file, encoding="utf-8", errors="replace") as file:
            found = LINE.findall(file.read())
        return [f"{at} {text}" for at, _, text in found if begin <= float(at) < end]

    def count(self, number):
        """So many counters, each counted once: the position of the last."""
        for first in range(0, number, COMMANDS_MAX):
            commands = [{"type": "counter.increment", "id": f"c{n}", "data": {}} for n in range(first, min(first + COMMANDS_MAX, number))]
            answer = self.client.ask("POST", "/v1/commands/batch", {"commands": commands})
            self.assertEqual(200, answer.status, answer.body[:300])
            results = answer.json()["results"]
            self.assertEqual([], [one for one in results if "position" not in one][:3])
        return results[-1]["position"]

    def until_caught_up(self, position):
        def reached():
            found = self.client.ask("GET", "/v1/projections/counters").json()
            return found if found["state"] == "running" and found["position"] >= position and found["lag_events"] == 0 else None
        return flexcore.wait_until(reached, "the projection to be complete")

    def test_an_idle_server_sends_at_most_one_statement_a_second(self):
        self.serving(["counter", "orders"])
        self.until_caught_up(self.count(10))
        # Streams with rules are looked after.
        self.assertEqual(200, self.client.ask("PUT", "/v1/streams/counter-c1/settings", {"max_count": 1}).status)
        begin = self.quiet()
        flexcore.wait_until(lambda: self.now() >= begin + IDLE_S, "time to pass")
        sent = self.sent(begin, begin + IDLE_S)
        self.assertLessEqual(len(sent), IDLE_S, "\n".join(sent))
        self.assertGreater(len(sent), 1, "nothing is looked for that others have written")

    def quiet(self):
        """When what was begun before is done: the database's clock at that time."""
        def done():
            end = self.now()
            return end if len(self.sent(end - 1, end)) <= 1 else None
        return flexcore.wait_until(done, "the end of what was begun")

    def test_a_rebuild_writes_a_batch_of_rows_at_once(self):
        self.serving(["counter"])
        last = self.count(ROWS)
        self.until_caught_up(last)
        begin = self.now()
        self.assertEqual(202, self.client.ask("POST", "/v1/projections/counters/rebuild").status)
        self.until_caught_up(last)
        sent = self.sent(begin, self.now())
        served = self.one.psql("SELECT max(id) FROM served.generations WHERE serving")
        self.assertNotEqual("1", served, "no rebuild was seen")
        self.assertEqual(str(ROWS), self.one.psql(f"SELECT count(*) FROM served.rows_{served}_0"))
        self.assertLess(len(sent), ROWS / 10, "\n".join(sent[:200]))
        print(f"{len(sent)} statements for a rebuild of {ROWS} rows", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, words = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *words])
