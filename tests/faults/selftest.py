#!/usr/bin/env python3
"""The load sees what is wrong with a server: one that answers nonsense, refuses everything, or is gone before it is killed."""
import http.server
import os
import random
import sys
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import flexcore  # noqa: E402
from clients import KINDS, load  # noqa: E402
from ledger import ledger  # noqa: E402


class answering(http.server.ThreadingHTTPServer):
    """Every request gets the same answer. `kill` as of flexcore.server."""

    def __init__(self, status, body):
        self.asked = threading.Semaphore(0)
        outer = self

        class handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                outer.asked.release()

            do_PUT = do_DELETE = do_POST

            def log_message(self, *_words):
                pass

        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def kill(self):
        self.shutdown()
        self.server_close()


class load_test(unittest.TestCase):
    def loaded(self, status, body, requests):
        server = answering(status, body)
        self.addCleanup(server.kill)
        book = ledger()
        running = load(server.server_port, book, random.Random(1))
        for _ in range(requests):
            self.assertTrue(server.asked.acquire(timeout=flexcore.SOON_S))
        return server, book, running

    def test_an_answer_that_is_no_json_ends_the_run(self):
        _, _, running = self.loaded(200, b"nonsense", len(KINDS))  # each client's first answer is its last
        with self.assertRaisesRegex(flexcore.failure, '"single" ended'):
            running.end()

    def test_a_client_that_ended_before_the_kill_is_not_excused_by_it(self):
        server, _, running = self.loaded(503, b"{}", 5 * len(KINDS))
        # A bulk body is answered line by line, or its client ends.
        flexcore.wait_until(lambda: any(not thread.is_alive() for thread in running.threads), "the bulk client to end")
        with self.assertRaisesRegex(flexcore.failure, '"bulk" ended'):
            running.kill(server)

    def test_who_is_never_acknowledged_is_named(self):
        _, book, running = self.loaded(503, b"{}", 5 * len(KINDS))
        with self.assertRaises(flexcore.failure):
            running.end()
        with self.assertRaisesRegex(flexcore.failure, "never acknowledged.*single.*kept"):
            checks.everybody_took_part(book, KINDS)


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # connections left to the end of their thread
