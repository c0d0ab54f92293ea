#!/usr/bin/env python3
"""Shows that the runner sees what differs: a runner that accepts everything would make every scenario green."""
import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import flexcore  # noqa: E402
import openapi  # noqa: E402
import run  # noqa: E402
import script  # noqa: E402
from matching import fill, mismatch  # noqa: E402


class patterns(unittest.TestCase):
    def same(self, pattern, value, **more):
        self.assertIsNone(mismatch(pattern, value, {}, **more))

    def differs(self, pattern, value, **more):
        self.assertIsNotNone(mismatch(pattern, value, {}, **more))

    def test_values_are_meant_literally(self):
        self.same({"a": [1, "x", None, True]}, {"a": [1, "x", None, True]})
        for wrong in ({"a": 2}, {"a": "1"}, {"a": True}, {"a": None}, {}, [], {"a": 1, "b": 2}):
            self.differs({"a": 1}, wrong)

    def test_more_members_and_elements_only_where_the_pattern_says_so(self):
        self.same({"a": 1, "...": ""}, {"a": 1, "b": 2})
        self.same({"a": 1}, {"a": 1, "b": 2}, loose=True)
        self.same([1, "..."], [1, 2, 3])
        self.differs([1], [1, 2])
        self.differs([1, 2, "..."], [1])
        self.differs({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, loose=True)

    def test_kinds(self):
        self.same("<int>", 1)
        self.differs("<int>", True)
        self.differs("<int>", "1")
        self.same("<uuid>", "0193519c-0000-7000-8000-000000000001")
        self.differs("<uuid>", "0193519c")
        self.same("<time>", "2026-11-22T10:00:00.123456Z")
        self.differs("<time>", "2026-11-22T10:00:00Z")
        self.same("~a.c", "abc")
        self.differs("~a.c", "xabc")

    def test_a_name_binds_once_and_must_be_equal_afterwards(self):
        bound = {}
        self.assertIsNone(mismatch(["${x}", "${x}"], [7, 7], bound))
        self.assertEqual(fill("at ${x}", bound), "at 7")
        self.assertIsNotNone(mismatch("${x}", 8, bound))
        with self.assertRaises(ValueError):
            fill("${never}", bound)


class scripts(unittest.TestCase):
    def read(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            return script.read(file.name)

    def test_raw_bytes(self):
        self.assertEqual(script.raw_bytes(["A: b", "", r"x\0\xff\\n\\"]), b"A: b\r\n\r\nx\0\xff\\n\\\r\n")
        self.assertEqual(script.raw_bytes(["Content-Length: «length»", "", "abc\\"]), b"Content-Length: 3\r\n\r\nabc")
        self.assertEqual(script.raw_bytes(["«3*ab»\\"]), b"ababab")
        self.assertEqual(script.expand("«3*x#,»"), "x0,x1,x2,")

    def test_requests_in_raw_bytes(self):
        data = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nPOST /c HTTP/1.0\r\nA: GET /no HTTP/1.1\r\n\r\n{}HEAD /d HTTP/1.1\r\n\r\n"
        self.assertEqual(script.requests_in(data), [("GET", "/a?b"), ("POST", "/c"), ("HEAD", "/d")])
        self.assertEqual(script.requests_in(b"get /a\r\n\r\n"), [(None, None)])

    def test_mistakes_in_a_script_are_named(self):
        for text in ("text", "## a\n>>> GET /", "## a\n<<< 200", "## a\n@ colour red", "## a\n## a"):
            with self.assertRaises(script.scenario_error, msg=text):
                self.read(text)

    def test_headers_and_body(self):
        self.assertEqual(script.split_headers(["A: b", "C-D:", '{"x": 1}']), ([("A", "b"), ("C-D", "")], ['{"x": 1}']))
        self.assertEqual(script.split_headers(["A: b", "", "C: d"]), ([("A", "b")], ["C: d"]))


class answers(unittest.TestCase):
    def wrong(self, expect, answer):
        player = run.player.__new__(run.player)
        head, *lines = expect.split("\n")
        expected = script.expectation(head, 1)
        expected.lines = lines
        return player._wrong(expected, answer, {})

    @staticmethod
    def problem(without="", **change):
        body = {"type": "/problems/bad_request", "title": "t", "status": 400, "detail": "d", "instance": "/", "code": "bad_request",
                "request_id": "r", **change}
        body.pop(without, None)
        return flexcore.reply(400, [("Content-Type", "application/problem+json"), ("X-Request-Id", "r")], json.dumps(body).encode())

    def test_status_headers_and_body(self):
        answer = flexcore.reply(200, [("ETag", '"1"')], b'{"a":1}')
        self.assertIsNone(self.wrong('200\nETag: "1"\n{"a":1}', answer))
        self.assertIsNone(self.wrong('2xx text\n"a":1', answer))
        for expect in ("201", "4xx", '200\nETag: "2"', "200\nETag: -", "200\nX-Other: *", '200\n{"a":2}', "200 empty", "200 text\nb", '200 ndjson\n{"a":1}\n{"a":1}'):
            self.assertIsNotNone(self.wrong(expect, answer), expect)

    def test_an_error_is_a_problem_with_all_members(self):
        self.assertIsNone(self.wrong("400 bad_request", self.problem()))
        self.assertIsNotNone(self.wrong("400 not_found", self.problem()))
        for name in run.PROBLEM:
            self.assertIsNotNone(self.wrong("400", self.problem(without=name)), name)
        self.assertIsNotNone(self.wrong("400", self.problem(status=500)))
        self.assertIsNotNone(self.wrong("400", self.problem(type="about:blank")))
        self.assertIsNotNone(self.wrong("400", self.problem(request_id="other")))
        self.assertIsNotNone(self.wrong("400", flexcore.reply(400, [("Content-Type", "text/html")], b"{}")))


class documents(unittest.TestCase):
    SEEN = {"required": True, "schema": {"type": "string"}}
    DOCUMENT = {
        "paths": {"/a/{id}": {"get": {"responses": {
            "200": {"headers": {"Seen": {"$ref": "#/components/headers/Seen"}, "Count": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}},
                                "application/x-ndjson": {"x-line-schema": {"$ref": "#/components/schemas/A"}}}},
            "400": {"content": {"application/problem+json": {"schema": {"type": "object", "required": ["code"]}}}},
            "204": {}}}}},
        "components": {
            "headers": {"Seen": SEEN},
            "schemas": {"A": {"type": "object", "required": ["n"], "additionalProperties": False,
                              "properties": {"n": {"type": "integer", "minimum": 1}, "m": {"type": ["string", "null"]},
                                             "l": {"type": "array", "items": {"enum": ["x", "z"]}, "uniqueItems": True, "maxItems": 2},
                                             "t": {"type": "string", "format": "date-time"}, "never": False}}}},
    }

    def problem(self, body, status=200, media="application/json", path="/a/1", headers=(("Seen", "yes"),), method="GET"):
        given = [("Date", "now"), *headers, *([("Content-Type", media)] if media else [])]
        return openapi.checker(self.DOCUMENT).problem(method, path, flexcore.reply(status, given, body))

    def test_bodies(self):
        self.assertIsNone(self.problem(b'{"n":1,"m":null,"l":["x","z"],"t":"2026-11-22T10:00:00.123456Z"}'))
        for body in (b'{}', b'{"n":0}', b'{"n":"1"}', b'{"n":1,"m":2}', b'{"n":1,"l":["y"]}', b'{"n":1,"o":1}', b'[]', b'{"n":1,"l":["x","x"]}',
                     b'{"n":1,"l":["x","z","x"]}', b'{"n":1,"t":"2026-11-22 10:00"}', b'{"n":1,"never":1}', b'', b'{'):
            self.assertIsNotNone(self.problem(body), body)
        self.assertIsNone(self.problem(b'{"n":1}\n{"n":2}\n', media="application/x-ndjson"))
        self.assertIsNotNone(self.problem(b'{"n":1}\n{"n":0}\n', media="application/x-ndjson"))

    def test_status_and_media_type(self):
        self.assertIsNotNone(self.problem(b'{"n":1}', status=201))
        self.assertIsNotNone(self.problem(b'{"n":1}', media="text/plain"))
        self.assertIsNone(self.problem(b'', status=204, media=None, headers=()))
        self.assertIsNotNone(self.problem(b'x', status=204, media=None, headers=()))

    def test_header_fields(self):
        self.assertIsNone(self.problem(b'{"n":1}', headers=(("Seen", "a"), ("Count", "7"))))
        self.assertIsNotNone(self.problem(b'{"n":1}', headers=()))
        self.assertIsNotNone(self.problem(b'{"n":1}', headers=(("Seen", "a"), ("Count", "x"))))
        self.assertIsNotNone(self.problem(b'{"n":1}', headers=(("Seen", "a"), ("X-Other", "1"))))

    def test_what_has_no_operation_must_be_an_error_that_some_operation_has(self):
        refused = {"status": 400, "media": "application/problem+json", "headers": ()}
        self.assertIsNone(self.problem(b'{"code":"c"}', path="/b", **refused))
        self.assertIsNone(self.problem(b'{"code":"c"}', path=None, method=None, **refused))
        self.assertIsNotNone(self.problem(b'{}', path="/b", **refused))
        self.assertIsNotNone(self.problem(b'{"n":1}', path="/b"))
        self.assertIsNotNone(self.problem(b'{"n":1}', method="POST"))
        self.assertIsNotNone(self.problem(b'', status=204, media=None, headers=(), method="OPTIONS"))
        self.assertIsNone(self.problem(b'', status=204, media=None, headers=(("Allow", "GET"),), method="OPTIONS"))

    def test_of_a_load_the_first_answers_are_held(self):
        held = openapi.checker(self.DOCUMENT)

        def problem(body, status=200):
            return held.problem_of_first("GET", "/a/1", flexcore.reply(status, [("Seen", "x"), ("Content-Type", "application/json")], body))
        self.assertIsNotNone(problem(b"{}"))
        for _ in range(openapi.ANSWERS_HELD_MAX - 1):
            self.assertIsNone(problem(b'{"n":1}'))
        self.assertIsNone(problem(b"{}"))
        self.assertIsNotNone(problem(b"{}", 202))  # of its own kind the first

    def test_a_keyword_that_is_not_checked_is_an_error(self):
        with self.assertRaises(ValueError):
            openapi.checker(self.DOCUMENT).mismatch({"type": "object", "minProperties": 1}, {}, "")


class clients(unittest.TestCase):
    """What tests of other subjects use: it fails for an answer that the document does not allow, and so does the end of the server."""

    def setUp(self):
        class handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response_only(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Seen", "yes")
                self.end_headers()
                self.wfile.write(json.dumps(documents.DOCUMENT).encode() if self.path == "/openapi.json" else b'{"n":0}')

            def log_message(self, *_words):
                pass

        self.other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.other.serve_forever, daemon=True).start()
        self.before = flexcore._promised
        self.addCleanup(self.let_go)

    def let_go(self):
        self.other.shutdown()
        self.other.server_close()
        flexcore._promised = self.before
        flexcore._broken.clear()
        flexcore._held_at.discard(self.other.server_port)

    def test_an_answer_that_breaks_the_promise_fails_whoever_asked(self):
        port = self.other.server_port
        self.assertEqual(flexcore.client(port).ask("GET", "/a/1").json(), {"n": 0})  # no server of ours as yet
        flexcore._promised = None
        flexcore._hold(port)
        with self.assertRaisesRegex(flexcore.failure, "breaks /openapi.json at /n"):
            flexcore.client(port).ask("GET", "/a/1")
        gone = flexcore.server.__new__(flexcore.server)
        gone.process, gone.folder, gone.schema = None, tempfile.mkdtemp(), None
        with self.assertRaisesRegex(flexcore.failure, "breaks /openapi.json at /n"):
            gone.__exit__(None)


if __name__ == "__main__":
    unittest.main()
