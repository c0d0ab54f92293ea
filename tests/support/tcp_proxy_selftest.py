#!/usr/bin/env python3
"""The proxy does to a connection what it says, and nothing else."""
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from flexcore import SOON_S, wait_until  # noqa: E402
from tcp_proxy import CLIENT, SERVER, tcp_proxy  # noqa: E402


class echo:
    """Sends back what it gets, and remembers it."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.seen = b""
        self.ends = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                one = self.listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._answer, args=(one,), daemon=True).start()

    def _answer(self, one):
        with one:
            try:
                while data := one.recv(65536):
                    self.seen += data
                    one.sendall(data)
                self.ends.append("closed")
            except OSError:
                self.ends.append("reset")

    def close(self):
        if self.listening.fileno() >= 0:
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()


class proxy_test(unittest.TestCase):
    def setUp(self):
        self.server = echo()
        self.addCleanup(self.server.close)
        self.between = tcp_proxy(self.server.port)
        self.addCleanup(self.between.close)

    def connect(self):
        one = socket.create_connection(("127.0.0.1", self.between.port), SOON_S)
        self.addCleanup(one.close)
        return one

    def echoed(self, one, data=b"hello"):
        one.sendall(data)
        return self.read(one, len(data))

    @staticmethod
    def read(one, count):
        got = b""
        while len(got) < count and (data := one.recv(count - len(got))):
            got += data
        return got

    def nothing_arrives(self, one):
        """Not even the end, in a time that is long beside the proxy's."""
        one.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            one.recv(1)
        one.settimeout(SOON_S)

    def test_it_forwards_both_ways_and_both_ends(self):
        data = os.urandom(3_000_000)
        one = self.connect()
        sending = threading.Thread(target=lambda: (one.sendall(data), one.shutdown(socket.SHUT_WR)))
        sending.start()
        got = self.read(one, len(data) + 1)
        sending.join()
        self.assertEqual(hashlib.sha256(data).digest(), hashlib.sha256(got).digest())
        wait_until(lambda: self.server.ends == ["closed"], "the server to see the end")
        wait_until(lambda: self.between.connections() == 0, "the end of the connection")
        self.assertEqual(1, self.between.accepted)

    def test_a_delay_is_waited_for_each_way(self):
        one = self.connect()
        self.echoed(one)
        self.between.delay(0.05)
        begun = time.monotonic()
        self.assertEqual(b"hello", self.echoed(one))
        self.assertGreaterEqual(time.monotonic() - begun, 0.1)

    def test_what_is_held_arrives_when_it_is_over(self):
        one = self.connect()
        self.between.hold()
        one.sendall(b"hello")
        self.nothing_arrives(one)
        self.assertEqual(b"", self.server.seen)
        self.between.heal()
        self.assertEqual(b"hello", self.read(one, 5))

    def test_answers_alone_are_held(self):
        one = self.connect()
        self.between.hold(CLIENT)
        one.sendall(b"hello")
        wait_until(lambda: self.server.seen == b"hello", "the request to arrive")
        self.nothing_arrives(one)
        self.between.reset()
        with self.assertRaises(ConnectionResetError):
            one.recv(1)

    def test_a_new_connection_of_a_black_hole_is_silent(self):
        self.between.hold()
        one = self.connect()
        one.sendall(b"hello")
        self.nothing_arrives(one)

    def test_pieces_are_as_small_as_asked(self):
        sizes = []
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        between = tcp_proxy(listening.getsockname()[1])
        self.addCleanup(between.close)
        between.slice(1, SERVER)
        with socket.create_connection(("127.0.0.1", between.port), SOON_S) as one, listening.accept()[0] as server:
            one.sendall(b"x" * 500)
            while sum(sizes) < 500:
                sizes.append(len(server.recv(500)))
        self.assertGreater(len(sizes), 1)
        self.assertEqual(b"hello", self.echoed(self.connect()))

    def test_a_connection_is_cut_in_the_middle_of_a_message(self):
        one, other = self.connect(), self.connect()
        self.echoed(one)
        self.between.cut_after(3, SERVER)
        one.sendall(b"0123456789")
        with self.assertRaises(ConnectionResetError):
            one.recv(100)
            one.recv(100)
        wait_until(lambda: self.server.ends == ["reset"], "the server to see the cut")
        self.assertEqual(b"hello012", self.server.seen)
        self.assertEqual(b"01", self.echoed(other, b"01"))  # each connection has its own count
        self.between.heal()
        self.assertEqual(b"hello", self.echoed(other))

    def test_an_answer_is_cut_in_the_middle(self):
        one = self.connect()
        self.between.cut_after(4, CLIENT)
        one.sendall(b"0123456789")
        wait_until(lambda: self.server.seen == b"0123456789", "the request to arrive")
        got = b""
        with self.assertRaises(ConnectionResetError):
            while True:
                got += one.recv(1)
        self.assertTrue(b"0123".startswith(got), got)

    def test_refused_until_it_heals_on_the_same_port(self):
        one = self.connect()
        self.echoed(one)
        self.between.refuse()
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.assertEqual(b"hello", self.echoed(one))
        self.between.heal()
        self.assertEqual(b"hello", self.echoed(self.connect()))

    def test_a_server_that_is_not_there_is_a_cut(self):
        self.server.close()
        one = self.connect()
        try:
            self.assertEqual(b"", one.recv(1))
        except ConnectionResetError:
            pass

    def test_as_a_program_it_does_what_it_is_told(self):
        words = [sys.executable, os.path.join(HERE, "tcp_proxy.py"), str(self.server.port)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            port = int(program.stdout.readline())
            with socket.create_connection(("127.0.0.1", port), SOON_S) as one:
                self.assertEqual(b"hello", self.echoed(one))
                for line in ("hold client", "heal", "delay 0.001", "cut_after 0 server"):
                    program.stdin.write(line + "\n")
                    program.stdin.flush()
                    self.assertEqual("ok", program.stdout.readline().strip())
                one.sendall(b"x")
                with self.assertRaises(ConnectionResetError):
                    one.recv(1)
            program.stdin.close()
            self.assertEqual(0, program.wait(SOON_S))


if __name__ == "__main__":
    unittest.main()
