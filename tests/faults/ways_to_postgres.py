#!/usr/bin/env python3
"""How the server comes to its PostgreSQL: with a password from a file or a variable, over TLS that it verifies, through pgbouncer. What
is not right is refused at the start, with what to mend, and no password is shown.

What goes through pgbouncer is as safe as without it, under load, whatever it does to its connections.

usage: ways_to_postgres.py [--build DIR]
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger  # noqa: E402
from pgbouncer import pgbouncer  # noqa: E402
from postgres import postgres  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
SECRET = "s3cret-and-more"


def certificate(folder, name, host="IP:127.0.0.1"):
    """A key and its certificate for a host, signed by itself."""
    key, made = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".crt")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=flexcore", "-addext", f"subjectAltName={host}", "-keyout", key, "-out", made], check=True, capture_output=True)
    return key, made


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class ways(unittest.TestCase):
    def serves(self, url, settings=None, env=None):
        """It starts, takes an event and shows it."""
        with flexcore.server(BUILD, [], {"store.url": url, "store.schema": "served", **(settings or {})}, env=env) as server:
            one = server.client()
            self.addCleanup(one.close)
            self.assertEqual(201, one.ask("POST", "/v1/streams/s/events", '{"events":[{"type":"a","data":1}]}').status)
            self.assertEqual(200, one.ask("GET", "/v1/streams/s/events").status)
            self.assertNotIn(SECRET, text_of(server.log_file))
            self.assertEqual(0, server.stop())

    def refusal(self, url, settings=None, env=None):
        """What it says instead of starting."""
        server = flexcore.server(BUILD, [], {"store.url": url, "store.schema": "served", **(settings or {})}, env=env)
        try:
            with self.assertRaises(flexcore.failure) as refused:
                server.start()
            self.assertNotIn(SECRET, str(refused.exception))
            return str(refused.exception)
        finally:
            server.close()

    def test_a_password_comes_from_the_url_a_file_or_a_variable(self):
        with postgres(BUILD, password=SECRET) as one, tempfile.TemporaryDirectory() as folder:
            self.serves(one.url())
            bare = one.url().replace(f":{SECRET}", "")
            file = os.path.join(folder, "password")
            with open(file, "w", encoding="utf-8") as out:
                out.write(SECRET + "\n")
            self.serves(bare, {"store.password_file": file})
            self.serves(bare, env={"PGPASSWORD": SECRET})
            said = self.refusal(bare)
            self.assertIn("cannot be reached: ", said)
            self.assertIn("store.password_file, PGPASSWORD", said)
            self.assertIn("password authentication failed", self.refusal(one.url().replace(SECRET, "another")))
            self.assertIn("store.password_file", self.refusal(bare, {"store.password_file": file + "-not-there"}))
            self.assertIn("take one out", self.refusal(one.url(), {"store.password_file": file}))

    def test_tls_is_verified_when_the_url_asks_for_it(self):
        with tempfile.TemporaryDirectory() as folder:
            key, made = certificate(folder, "server")
            _, strange = certificate(folder, "strange")
            one = postgres(BUILD, settings={"ssl": "on"})
            one.place("server.key", text_of(key))
            one.place("server.crt", text_of(made))
            with one:
                verified = one.url() + "?sslmode=verify-full&sslrootcert="
                self.serves(verified + made)
                self.assertIn("certificate verify failed", self.refusal(verified + strange))
            # The right root vouches for another host: enough for who does not ask for the name, not for who does.
            key, made = certificate(folder, "another", "DNS:another.example")
            one = postgres(BUILD, settings={"ssl": "on"})
            one.place("server.key", text_of(key))
            one.place("server.crt", text_of(made))
            with one:
                self.serves(one.url() + "?sslmode=verify-ca&sslrootcert=" + made)
                self.assertIn("does not match host name", self.refusal(one.url() + "?sslmode=verify-full&sslrootcert=" + made))
            with postgres(BUILD) as plain:
                self.assertIn("SSL", self.refusal(plain.url() + "?sslmode=verify-full&sslrootcert=" + made))

    def test_pgbouncer_serves_sessions_and_its_transactions_are_refused(self):
        with postgres(BUILD) as one:
            with pgbouncer(one.port, "session") as between:
                self.serves(between.url())
            with pgbouncer(one.port, "transaction") as between:
                said = self.refusal(between.url())
                self.assertIn("pool_mode=session", said)
                self.assertIn("transaction mode", said)

    def test_under_load_through_pgbouncer_nothing_is_lost_or_doubled(self):
        """Its sessions with the database are renewed as they come free; then all connections are cut at once."""
        seed = random.SystemRandom().randrange(1 << 32)
        book = ledger()
        # Else pgbouncer connects nobody for 15 s, when a session was cut before it was there.
        retry = {"server_login_retry": 1}
        with self.subTest(seed=seed), postgres(BUILD) as one, pgbouncer(one.port, "session", retry) as between:
            settings = {"store.url": between.url(), "store.schema": "served"}
            with flexcore.server(BUILD, ["counter", "orders"], settings) as server:
                running = clients.load(server.port, book, random.Random(seed), pause_s=0.05)
                self.goes_on(book)
                between.console("RECONNECT")
                self.goes_on(book)
                before = self.sessions(one)
                between.console("KILL flexcore")
                between.console("RESUME flexcore")
                self.goes_on(book)
                running.end()
                self.assertFalse(before & self.sessions(one), "a session has outlived its connection")
                checks.everything_holds(server.client(), book)
                clients.send_again(server.port, book)
                checks.commands_took_effect_once(book, checks.everything_holds(server.client(), book))
                checks.everybody_took_part(book, clients.KINDS)
                self.assertEqual(0, server.stop())

    def sessions(self, one):
        return set(one.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'flexcore'").split())

    def goes_on(self, book):
        before = book.count()[1]
        flexcore.wait_until(lambda: book.count()[1] > before + 2000, "acknowledgements under load")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, words = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *words], warnings="ignore")  # connections left to the end of their thread
