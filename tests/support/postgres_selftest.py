#!/usr/bin/env python3
"""The PostgreSQL that tests start: what it keeps, and that it ends with whoever uses it.

usage: postgres_selftest.py --build DIR
"""
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from flexcore import failure, wait_until  # noqa: E402
from pgbouncer import pgbouncer  # noqa: E402
from postgres import postgres, program, url_of_several  # noqa: E402
from shared_postgres import place, schema, shared_url  # noqa: E402

BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release")


def psql(url, sql):
    """Over TCP, as an application comes: what it answers, its errors, its exit code."""
    done = subprocess.run([program("psql"), "-XAtqw", url, "-c", sql], capture_output=True, text=True, check=False)
    return done.stdout.strip() + done.stderr.strip(), done.returncode


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class one_test(unittest.TestCase):
    def setUp(self):
        self.one = postgres(BUILD)
        self.addCleanup(self.one.close)
        self.one.start()

    def test_the_role_owns_the_database_and_is_nobody_else(self):
        self.assertEqual(("f|flexcore", 0), psql(self.one.url(), "SELECT rolsuper, current_database() FROM pg_roles "
                                                 "WHERE rolname = current_user"))
        self.assertEqual(("", 0), psql(self.one.url(), "CREATE SCHEMA s; CREATE TABLE s.t (a text)"))
        self.assertEqual("UTF8|C", self.one.psql("SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database "
                                                 "WHERE datname = 'flexcore'"))

    def test_a_statement_that_fails_fails_the_test(self):
        with self.assertRaisesRegex(failure, "nothing_like_it"):
            self.one.psql("SELECT nothing_like_it")

    def test_stopped_or_killed_it_starts_again_with_what_it_had(self):
        self.one.psql("CREATE TABLE kept (n int)")
        port = self.one.port
        for number, end in enumerate((self.one.stop, self.one.kill, lambda: self.one.stop("immediate"), self.one.kill), 1):
            self.one.psql(f"INSERT INTO kept VALUES ({number})")
            end()
            self.assertFalse(self.one.running())
            self.assertNotEqual(0, psql(self.one.url(), "SELECT 1")[1])
            self.one.start()
            self.assertEqual(port, self.one.port)
            self.assertEqual(str(number), self.one.psql("SELECT count(*) FROM kept"))

    def test_a_kill_leaves_no_child_and_no_shared_memory(self):
        pids = self.one.psql("SELECT pid FROM pg_stat_activity").split()
        with open(os.path.join(self.one.data, "postmaster.pid"), encoding="utf-8") as file:
            memory = file.read().split("\n")[6].split()[1]
        self.one.kill()
        self.assertEqual([], [pid for pid in pids if runs(pid)])
        self.one.close()
        with open("/proc/sysvipc/shm", encoding="ascii") as file:
            self.assertNotIn(memory, [line.split()[1] for line in file])
        self.assertFalse(os.path.exists(self.one.folder))

    def test_a_standby_takes_over_with_every_commit(self):
        self.one.psql("CREATE TABLE kept (n int)")
        with self.one.standby("second", synchronous=True) as second:
            for number in range(20):
                self.one.psql(f"INSERT INTO kept VALUES ({number})")
            several = url_of_several([self.one, second])
            where = "SELECT inet_server_port()"
            self.assertEqual((str(self.one.port), 0), psql(several, where))
            self.assertTrue(second.is_standby())
            self.one.kill()
            self.assertNotEqual(0, psql(several, where)[1])
            second.promote()
            self.assertEqual((str(second.port), 0), psql(several, where))
            self.assertEqual("20", second.psql("SELECT count(*) FROM kept"))
            second.psql("INSERT INTO kept VALUES (20)")
            second.stop()
            second.start()
            self.assertEqual("21", second.psql("SELECT count(*) FROM kept"))
            self.assertFalse(second.is_standby())


class pgbouncer_test(unittest.TestCase):
    def backend(self, url):
        """Of a client that stays: the process that answers it."""
        one = subprocess.Popen([program("psql"), "-XAtqw", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(one.communicate)
        one.stdin.write("SELECT pg_backend_pid();\n")
        one.stdin.flush()
        return int(one.stdout.readline())

    def test_a_session_has_a_connection_of_its_own_and_transactions_share_them(self):
        with postgres(BUILD) as one:
            with pgbouncer(one.port, "session") as between:
                self.assertNotEqual(self.backend(between.url()), self.backend(between.url()))
            with pgbouncer(one.port, "transaction") as between:
                self.assertEqual(self.backend(between.url()), self.backend(between.url()))

    def test_stopped_it_starts_again_on_its_port(self):
        with postgres(BUILD) as one, pgbouncer(one.port) as between:
            url = between.url()
            between.stop()
            self.assertNotEqual(0, psql(url, "SELECT 1")[1])
            between.start()
            self.assertEqual(("1", 0), psql(url, "SELECT 1"))

    def test_what_it_knows_nothing_of_is_refused(self):
        with postgres(BUILD) as one, pgbouncer(one.port) as between:
            said, code = psql(between.url() + "?options=-cstatement_timeout%3D1000", "SELECT 1")
            self.assertNotEqual(0, code)
            self.assertIn("unsupported startup parameter", said)


class made_otherwise_test(unittest.TestCase):
    def test_a_password_is_asked_for(self):
        with postgres(BUILD, password="secret") as one:
            self.assertEqual(("1", 0), psql(one.url(), "SELECT 1"))
            said, code = psql(one.url().replace("secret", "wrong"), "SELECT 1")
            self.assertNotEqual(0, code)
            self.assertIn("password authentication failed", said)

    def test_without_a_template_it_is_another_system(self):
        identifier = "SELECT system_identifier FROM pg_control_system()"
        with postgres(BUILD) as first, postgres() as second:
            self.assertNotEqual(first.psql(identifier), second.psql(identifier))

    def test_a_setting_that_it_refuses_is_told(self):
        with self.assertRaisesRegex(failure, "no_such_setting"), postgres(BUILD, settings={"no_such_setting": 1}):
            pass

    def test_it_ends_with_the_process_that_started_it(self):
        text = (f"import sys; sys.path.insert(0, {HERE!r})\nfrom postgres import postgres\none = postgres({BUILD!r})\n"
                "one.start()\nprint(one.process.pid, one.folder, flush=True)\nsys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            pid, folder = child.stdout.readline().split()
            self.assertTrue(runs(pid))
            child.kill()
        wait_until(lambda: not runs(pid), "the end of PostgreSQL")
        subprocess.run(["rm", "-rf", folder], check=True)


class run_of_tests:
    """As ctest does it: starts the shared server, and lives on."""

    def __init__(self, build):
        words = [sys.executable, os.path.join(HERE, "shared_postgres.py"), "start", "--for-parent", "--build", build]
        text = ("import itertools, subprocess, sys\nfor word in itertools.chain(['start'], sys.stdin):\n"
                f"    words = {words!r}\n    words[2] = word.strip()\n"
                "    print(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip(), flush=True)")
        self.process = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def stop(self):
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.communicate()


class shared_test(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name
        self.here = place(self.build)
        # The template of the real build folder, instead of another one.
        tests, version = os.path.join(BUILD, "tests"), None
        with postgres(BUILD):
            for name in os.listdir(tests):
                if name.startswith("postgres-") and name.endswith("-template"):
                    version = name
        os.symlink(os.path.join(tests, version), os.path.join(self.build, "tests", version))

    def begin(self):
        run = run_of_tests(self.build)
        self.addCleanup(run.end)
        return run

    def gone(self):
        return not self.here.kept() and not os.path.exists(self.here.url)

    def test_a_run_stops_what_it_has_started(self):
        run = self.begin()
        self.assertEqual(run.url, shared_url(self.build))
        self.assertEqual(("1", 0), psql(run.url, "SELECT 1"))
        run.stop()
        self.assertTrue(self.gone())
        with self.assertRaisesRegex(failure, "shared_postgres.py start --build"):
            shared_url(self.build)

    def test_a_run_that_is_killed_takes_it_along(self):
        self.begin().end()
        wait_until(self.gone, "the end of the shared server")

    def test_runs_beside_each_other_share_it_until_the_last_has_ended(self):
        first, second = self.begin(), self.begin()
        self.assertEqual(first.url, second.url)
        first.stop()
        self.assertEqual(("1", 0), psql(second.url, "SELECT 1"))
        second.end()
        wait_until(self.gone, "the end of the shared server")

    def test_what_a_killed_keeper_has_left_is_in_nobodys_way(self):
        first = self.begin()
        pid, folder = psql(first.url, "SELECT pg_backend_pid()")[0], os.path.realpath(self.build)
        self.assertTrue(pid)
        for entry in os.listdir("/proc"):
            if entry.isdigit() and self._words(entry)[2:] == ["keep", "--build", folder]:
                os.kill(int(entry), signal.SIGKILL)
        second = self.begin()
        self.assertNotEqual(first.url, second.url)
        self.assertEqual(("1", 0), psql(second.url, "SELECT 1"))
        second.stop()
        first.end()
        wait_until(self.gone, "the end of the shared server")

    @staticmethod
    def _words(pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                return file.read().split("\0")[:-1]
        except OSError:
            return []

    def test_a_schema_is_dropped_with_all_in_it(self):
        url = self.begin().url
        one = schema(self.build)
        psql(url, f"CREATE SCHEMA {one.name}; CREATE TABLE {one.name}.t (a int)")
        one.drop()
        one.drop()
        self.assertEqual(("", 0), psql(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'test%'"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        BUILD = os.path.abspath(sys.argv[2])
        del sys.argv[1:3]
    unittest.main()
