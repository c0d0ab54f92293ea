#!/usr/bin/env python3
"""PostgreSQL is away: killed, or silent though its connections stand. What the query cache has is still given, with its age, as long as
the settings allow; everything else is refused at once, and nobody waits behind what hangs.

usage: away.py [--build DIR]
"""
import argparse
import os
import sys
import threading
import unittest
import uuid

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import flexcore  # noqa: E402
from postgres import postgres  # noqa: E402
from tcp_proxy import tcp_proxy  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
VALUE = "/v1/queries/counter.value?id=a"
ROW = "/v1/read-models/counters/a"
EVENT = {"events": [{"type": "away.tested", "data": 1}]}


class hanging(threading.Thread):
    """A request under way; `answer` when it is over."""

    def __init__(self, server, method, target, body=None):
        super().__init__(daemon=True)
        self.answer = None
        self._client = server.client(bound_s=120)
        self._request = (method, target, body)
        self.start()

    def run(self):
        self.answer = self._client.ask(*self._request)
        self._client.close()


class away(unittest.TestCase):
    def serving(self, url, **settings):
        settings = {name.replace("__", "."): value for name, value in settings.items()}
        server = flexcore.server(BUILD, ["counter"], {"store.url": url, "store.schema": "served", **settings})
        self.addCleanup(server.close)
        server.start()
        return server

    def entering(self, what):
        """Until the test's end."""
        self.addCleanup(what.close)
        return what.__enter__()

    def ask(self, server, target, method="GET", body=None, tenant="default", headers=None):
        one = server.client()
        try:
            return one.ask(method, target, body, {"X-Tenant-Id": tenant, **(headers or {})})
        finally:
            one.close()

    def increment(self, server, name, tenant="default", command_id=None):
        body = {"type": "counter.increment", "id": name, "data": {}, "command_id": command_id or str(uuid.uuid4())}
        return self.ask(server, "/v1/commands", "POST", body, tenant)

    def counted(self, server, name, tenant="default"):
        answer = self.increment(server, name, tenant)
        self.assertEqual(200, answer.status, answer.body)
        return answer.json()["position"]

    def warmed(self, server):
        """A counter whose value is in the cache: the position of its last change."""
        position = self.counted(server, "a")
        self.counted(server, "b")
        self.counted(server, "a", tenant="other")
        for target in (VALUE, ROW):
            answer = self.ask(server, f"{target}{'&' if '?' in target else '?'}min_position={position}")
            self.assertEqual(200, answer.status, answer.body)
            self.assertIsNone(self.ask(server, target).header("age"))
        return position

    def until_not_ready(self, server, why):
        answer = flexcore.wait_until(lambda: self.status_is(server, "/readyz", 503), "/readyz to say 503")
        self.assertIn(why, answer.json()["detail"])

    def status_is(self, server, target, status):
        answer = self.ask(server, target)
        return answer if answer.status == status else None

    def refused(self, answer, code="store_unavailable"):
        self.assertEqual((503, code), (answer.status, answer.json()["code"]), answer.body)
        self.assertTrue((answer.header("retry-after") or "").isdigit(), "a refusal does not say when to come again")

    def aged(self, server, target):
        """The answer once it is told how old it may be."""
        def look():
            answer = self.ask(server, target)
            self.assertEqual(200, answer.status, answer.body)
            return answer if answer.header("age") else None
        answer = flexcore.wait_until(look, f"an age of {target}")
        self.assertGreater(int(answer.header("age")), 0)
        return answer

    def works(self, server, value):
        """All is as before: the next change is seen, by an answer that has no age."""
        flexcore.wait_until(lambda: self.status_is(server, "/readyz", 200), "/readyz to say 200")
        command_id = str(uuid.uuid4())

        def done():
            answer = self.increment(server, "a", command_id=command_id)
            return answer if answer.status == 200 else None
        position = flexcore.wait_until(done, "a command").json()["position"]
        answer = flexcore.wait_until(lambda: self.status_is(server, f"{VALUE}&min_position={position}", 200), "the read model")
        self.assertEqual({"value": value}, answer.json()["data"])
        self.assertIsNone(answer.header("age"))

    def test_while_it_is_killed_cached_reads_are_served_with_their_age(self):
        one = self.entering(postgres(BUILD))
        server = self.serving(one.url())
        position = self.warmed(server)
        one.kill()
        self.until_not_ready(server, "\"store\" is unhealthy: ")
        value = self.aged(server, VALUE)
        self.assertEqual({"data": {"value": 1}, "position": position}, value.json())
        self.assertEqual({"value": 1}, self.aged(server, ROW).json()["row"])
        # What its clients know already they are told so, with the age as well.
        again = self.ask(server, VALUE, headers={"If-None-Match": value.header("etag")})
        self.assertEqual(304, again.status)
        self.assertTrue(again.header("age"))
        self.assertEqual(200, self.ask(server, f"{VALUE}&min_position={position}").status)
        # Nobody is given what is not there, or not his.
        behind = self.ask(server, f"{VALUE}&min_position={position + 1000}&wait_ms=0")
        self.assertEqual((409, "read_model_behind"), (behind.status, behind.json()["code"]))
        self.refused(self.ask(server, "/v1/queries/counter.value?id=b"))
        self.refused(self.ask(server, "/v1/read-models/counters/b"))
        self.refused(self.ask(server, VALUE, tenant="other"))
        self.refused(self.ask(server, ROW, tenant="other"))
        self.refused(self.increment(server, "a"))
        self.assertEqual(200, self.ask(server, "/livez").status)
        one.start()
        self.works(server, 2)

    def test_cached_reads_end_when_the_settings_say_so(self):
        for allowed_ms in (0, 10_000):
            with self.subTest(allowed_ms=allowed_ms):
                one = self.entering(postgres(BUILD))
                server = self.serving(one.url(), queries__stale_if_error_ms=allowed_ms)
                self.warmed(server)
                one.kill()
                if allowed_ms:
                    self.assertEqual({"value": 1}, self.aged(server, VALUE).json()["data"])
                for target in (VALUE, ROW):
                    self.refused(flexcore.wait_until(lambda: self.status_is(server, target, 503), "the end of cached reads"))
                one.start()
                self.works(server, 2)

    def test_while_it_is_silent_nobody_waits_behind_what_hangs(self):
        one = self.entering(postgres(BUILD))
        between = self.entering(tcp_proxy(one.port))
        server = self.serving(one.url(port=between.port))
        self.warmed(server)
        between.hold()
        append = hanging(server, "POST", "/v1/streams/first-1/events", EVENT)
        reads = [hanging(server, "GET", f"/v1/events?limit={n}") for n in range(1, 20)]
        self.until_not_ready(server, "the database has not answered for")
        # The first is answered when its fate is known, or cannot be; others at once.
        self.refused(self.ask(server, "/v1/streams/second-1/events", "POST", EVENT))
        self.refused(self.increment(server, "a"))
        self.refused(self.increment(server, "c"))
        self.refused(self.ask(server, "/v1/events?limit=1"))
        for read in reads:
            read.join()
            self.refused(read.answer)
        self.assertEqual({"value": 1}, self.aged(server, VALUE).json()["data"])
        self.assertIsNone(append.answer, "an append was answered while nobody could know whether it was written")
        between.heal()
        append.join()
        self.assertIn(append.answer.status, (201, 503))
        self.works(server, 2)
        reader = server.client()
        self.addCleanup(reader.close)
        streams = {event["stream"] for event in flexcore.whole_log(reader)}
        self.assertNotIn("second-1", streams)
        if append.answer.status == 201:
            self.assertIn("first-1", streams)

    def test_a_silence_that_lasts_is_answered_as_unknown_and_is_over_by_itself(self):
        one = self.entering(postgres(BUILD))
        between = self.entering(tcp_proxy(one.port))
        server = self.serving(one.url(port=between.port), store__statement_timeout_ms=1_000, store__connect_timeout_ms=1_000)
        self.warmed(server)
        between.hold()
        append = hanging(server, "POST", "/v1/streams/first-1/events", EVENT)
        append.join()
        self.refused(append.answer)
        for _ in range(3):
            self.refused(self.increment(server, "a"))
        between.heal()
        self.works(server, 2)

    def test_a_statement_that_waits_is_not_silence_reads_go_on(self):
        one = self.entering(postgres(BUILD))
        server = self.serving(one.url(), store__statement_timeout_ms=60_000)
        self.warmed(server)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'flexcore' AND wait_event_type = 'Lock' AND query LIKE '%log_head%'"
        held = one.locked("served.log_head")
        self.addCleanup(held.close)
        flexcore.wait_until(lambda: int(one.psql(waiting)) > 0, "the writer to wait for the lock")
        append = hanging(server, "POST", "/v1/streams/first-1/events", EVENT)
        # Reads go on, longer than a silence would be suffered.
        flexcore.wait_until(lambda: one.psql(f"{waiting} AND now() - query_start > interval '3 s'") != "0", "it to wait for long")
        self.assertEqual(200, self.ask(server, "/v1/streams").status)
        self.assertNotIn("has not answered", self.ask(server, "/readyz").body.decode())
        self.until_not_ready(server, "the database keeps the log waiting")
        self.refused(self.ask(server, "/v1/streams/second-1/events", "POST", EVENT))
        self.assertEqual(200, self.ask(server, "/v1/streams").status)
        self.assertIsNone(append.answer)
        held.close()
        append.join()
        self.assertEqual(201, append.answer.status, append.answer.body)
        self.works(server, 2)

    def test_who_finds_all_sessions_in_use_is_refused_and_is_served_again_when_one_is_free(self):
        one = self.entering(postgres(BUILD))
        server = self.serving(one.url(), store__sessions_max=1, store__statement_timeout_ms=60_000)
        self.assertEqual(201, self.ask(server, "/v1/streams/first-1/events", "POST", EVENT).status)
        held = one.locked("served.events")
        self.addCleanup(held.close)
        first = hanging(server, "GET", "/v1/streams/first-1/events")
        flexcore.wait_until(lambda: one.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'flexcore' AND "
                                             "wait_event_type = 'Lock' AND query LIKE '%events%'") == "1",
                            "a read to wait for the lock")
        others = [hanging(server, "GET", target) for target in ("/v1/streams/first-1/events", "/v1/events?limit=1", "/v1/streams")]
        for other in others:
            other.join()
            self.refused(other.answer, "busy")
        self.assertIsNone(first.answer, "a read was answered whose table is locked")
        held.close()
        first.join()
        for answer in (first.answer, self.ask(server, "/v1/streams/first-1/events")):
            self.assertEqual(200, answer.status, answer.body)
            self.assertEqual([1], [event["version"] for event in answer.json()["items"]])
        self.works(server, 1)

    def test_what_another_server_writes_meanwhile_is_seen_afterwards(self):
        one = self.entering(postgres(BUILD))
        between = self.entering(tcp_proxy(one.port))
        cut_off = self.serving(one.url(port=between.port))
        other = self.serving(one.url())
        position = self.warmed(cut_off)
        between.hold()
        self.assertEqual({"data": {"value": 1}, "position": position}, self.aged(cut_off, VALUE).json())
        self.counted(other, "a")
        self.assertEqual({"value": 1}, self.aged(cut_off, VALUE).json()["data"])
        between.heal()
        flexcore.wait_until(lambda: self.ask(cut_off, VALUE).json().get("data") == {"value": 2}, "the other's change")
        self.works(cut_off, 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, words = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *words])
