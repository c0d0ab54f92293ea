#!/usr/bin/env python3
"""What an operator has for a store in PostgreSQL: `flexcore verify`, `flexcore backup` and the way back from it, `flexcore doctor`.

usage: operators_of_postgres.py [--build DIR]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support")]
import flexcore  # noqa: E402
from pgbouncer import pgbouncer  # noqa: E402
from postgres import postgres, program  # noqa: E402

BUILD = os.path.join(os.path.dirname(TESTS), "build", "release")
SECRET = "s3cret-and-more"
PAGE = 8192


def cli(*words, env=None, bound_s=120):
    """A finished `flexcore …`, whose words never show the password."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FLEXCORE_") and k != "DATABASE_URL"}
    done = subprocess.run([os.path.join(BUILD, "flexcore"), *words], env={**clean, **(env or {})}, capture_output=True, text=True,
                          check=False, timeout=bound_s)
    if SECRET in done.stdout + done.stderr:
        raise flexcore.failure("the password is shown: " + " ".join(words))
    return done


def serving(one, data=None):
    return flexcore.server(BUILD, ["counter"], {"store.url": one.url()}, data=data)


def write(server, count):
    client = server.client()
    for n in range(count):
        sent = client.ask("POST", "/v1/commands", {"type": "counter.increment", "id": f"c{n % 10}", "data": {"by": 1}})
        if sent.status != 200:
            raise flexcore.failure(f"{sent.status}: {sent.body}")
    client.close()


def everything(server):
    """The log, and what a read model says."""
    client = server.client()
    log = list(flexcore.whole_log(client))
    values = [client.ask("GET", f"/v1/queries/counter.value?id=c{n}&min_position={len(log)}").json()["data"] for n in range(10)]
    client.close()
    return log, values


def overwrite(one, table, page):
    """Garbage over a page, behind the back of the database, which has been stopped."""
    path = one.psql(f"SELECT pg_relation_filepath('flexcore.{table}')").strip()
    one.psql("CHECKPOINT")
    one.stop()
    with open(os.path.join(one.data, path), "r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)
    one.start()


class operators(unittest.TestCase):
    def test_a_backup_restored_into_a_fresh_cluster_serves_all_of_it(self):
        with postgres(BUILD, password=SECRET) as one, tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "copy")
            with serving(one) as server:
                write(server, 200)
                before = everything(server)
                made = cli("backup", "--store", one.url(), "--to", copy)
                self.assertEqual(0, made.returncode, made.stderr)
                self.assertIn("200 events in 10 streams", made.stdout)
                self.assertIn("is sound", made.stdout)
                again = cli("backup", "--store", one.url(), "--to", copy)
                self.assertEqual(2, again.returncode)
                self.assertIn("is there already", again.stderr)
                write(server, 1)
                self.assertEqual(0, server.stop())
                self.assertEqual({"database.dump", "restore.txt"}, set(os.listdir(copy)))
                for name in os.listdir(copy):
                    with open(os.path.join(copy, name), "rb") as file:
                        self.assertNotIn(SECRET.encode(), file.read())
                with postgres() as fresh:
                    restored = subprocess.run([program("pg_restore"), "--no-owner", "--exit-on-error", "--dbname=" + fresh.url(),
                                               os.path.join(copy, "database.dump")], capture_output=True, text=True, check=False)
                    self.assertEqual(0, restored.returncode, restored.stderr)
                    former = serving(fresh, data=server.data)
                    self.addCleanup(former.close)
                    with self.assertRaises(flexcore.failure) as refused:
                        former.start()
                    self.assertIn("another cluster", str(refused.exception))
                    self.assertIn("postgres.json", str(refused.exception))
                    with serving(fresh) as other:
                        self.assertEqual(before, everything(other))
                        write(other, 10)
                        looked = cli("verify", "--store", fresh.url(), "--json")
                        self.assertEqual(0, looked.returncode, looked.stdout + looked.stderr)
                        self.assertEqual(210, json.loads(looked.stdout)["events"])

    def test_under_load_verify_and_backup_find_one_moment_of_the_log(self):
        with postgres(BUILD) as one, tempfile.TemporaryDirectory() as folder, serving(one) as server:
            write(server, 10)
            enough, failed = threading.Event(), []

            def load():
                try:
                    while not enough.is_set():
                        write(server, 10)
                except (flexcore.failure, OSError) as error:
                    failed.append(error)
            threads = [threading.Thread(target=load) for _ in range(2)]
            for thread in threads:
                thread.start()
            try:
                for n in range(3):
                    looked = cli("verify", "--store", one.url())
                    self.assertEqual(0, looked.returncode, looked.stdout + looked.stderr)
                    made = cli("backup", "--store", one.url(), "--to", f"{folder}/{n}")
                    self.assertEqual(0, made.returncode, made.stderr)
            finally:
                enough.set()
                for thread in threads:
                    thread.join()
            self.assertEqual([], failed)
            self.assertEqual({"0", "1", "2"}, set(os.listdir(folder)))

    def test_a_statement_that_takes_long_is_waited_for(self):
        with postgres(BUILD) as one:
            with serving(one) as server:
                write(server, 10)
                self.assertEqual(0, server.stop())
            held = one.locked("flexcore.event_tags")
            self.addCleanup(held.close)
            looked = []
            looking = threading.Thread(target=lambda: looked.append(cli("verify", "--store", one.url())))
            looking.start()
            # Longer than a server would let a database be silent.
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > interval '3 s'"
            flexcore.wait_until(lambda: one.psql(waits) != "0" or looked, "verify to wait for long")
            held.close()
            looking.join()
            self.assertEqual(0, looked[0].returncode, looked[0].stdout + looked[0].stderr)

    def test_a_backup_into_the_same_cluster_is_refused_until_its_operator_says_that_it_is_meant(self):
        with postgres(BUILD) as one, tempfile.TemporaryDirectory() as folder, serving(one) as server:
            write(server, 20)
            self.assertEqual(0, cli("backup", "--store", one.url(), "--to", folder + "/copy").returncode)
            write(server, 5)
            self.assertEqual(0, server.stop())
            one.psql("DROP SCHEMA flexcore CASCADE")
            subprocess.run([program("pg_restore"), "--no-owner", "--exit-on-error", "--dbname=" + one.url(), folder + "/copy/database.dump"],
                           check=True, capture_output=True)
            with self.assertRaises(flexcore.failure) as refused:
                server.start()
            self.assertIn("the log ends at position 20, and 25 was acknowledged", str(refused.exception))
            self.assertIn("postgres.json", str(refused.exception))
            os.remove(os.path.join(server.data, "postgres.json"))
            server.start()
            self.assertEqual(20, len(everything(server)[0]))

    def test_what_is_derived_and_damaged_is_left_out_of_a_backup_and_made_again(self):
        with postgres(BUILD) as one, tempfile.TemporaryDirectory() as folder, serving(one) as server:
            write(server, 30)
            before = everything(server)
            self.assertEqual(0, server.stop())
            table = one.psql("SELECT format('rows_%s_%s', generation, number) FROM flexcore.models LIMIT 1").strip()
            one.psql(f"UPDATE flexcore.{table} SET row = '['")
            made = cli("backup", "--store", one.url(), "--to", folder + "/copy")
            self.assertEqual(0, made.returncode, made.stderr)
            self.assertIn("the read models", made.stderr)
            with postgres(BUILD) as fresh:
                subprocess.run([program("pg_restore"), "--no-owner", "--exit-on-error", "--dbname=" + fresh.url(),
                                folder + "/copy/database.dump"], check=True, capture_output=True)
                with serving(fresh) as other:
                    self.assertEqual(before, everything(other))
            one.psql("SET session_replication_role TO replica; UPDATE flexcore.events SET data = '[]' WHERE position = 3")
            damaged = cli("backup", "--store", one.url(), "--to", folder + "/damaged")
            self.assertEqual(1, damaged.returncode)
            self.assertIn("event 3 is not what was written", damaged.stderr)
            self.assertEqual(["copy"], os.listdir(folder))

    def test_a_backup_that_is_broken_off_leaves_nothing(self):
        with postgres(BUILD) as one, tempfile.TemporaryDirectory() as folder:
            with serving(one) as server:
                write(server, 10)
            place = os.path.join(folder, "bin")
            os.mkdir(place)
            for name in ("pg_dump", "pg_restore"):
                path = os.path.join(place, name)
                with open(path, "w", encoding="ascii") as file:
                    file.write(f"#!/bin/sh\n: > {folder}/runs\nexec tail -f /dev/null\n")
                os.chmod(path, 0o755)
            backup = subprocess.Popen([os.path.join(BUILD, "flexcore"), "backup", "--store", one.url(), "--to", folder + "/copy"],
                                      env={**os.environ, "PATH": place + ":/usr/bin:/bin"}, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
            flexcore.wait_until(lambda: os.path.exists(folder + "/runs"), "pg_dump to run")
            backup.terminate()
            said = backup.communicate(timeout=60)[1]
            self.assertEqual(143, backup.returncode)
            self.assertIn("broken off", said)
            self.assertEqual({"bin", "runs"}, set(os.listdir(folder)))

    def test_without_pg_dump_the_commands_to_use_elsewhere_are_named(self):
        with postgres(BUILD, password=SECRET) as one, tempfile.TemporaryDirectory() as folder:
            with serving(one) as server:
                write(server, 1)
            said = cli("backup", "--store", one.url(), "--to", folder + "/copy", env={"PATH": "/nowhere"})
            self.assertEqual(1, said.returncode)
            self.assertIn("pg_dump --format=custom --schema='\"flexcore\"'", said.stderr)
            self.assertIn(f"'postgresql://127.0.0.1:{one.port}/flexcore'", said.stderr)
            self.assertIn("pg_basebackup", said.stderr)
            self.assertEqual([], os.listdir(folder))

    def test_verify_takes_the_store_as_serve_does_and_names_damage(self):
        with postgres(BUILD) as one:
            with serving(one) as server:
                write(server, 50)
                beside = cli("verify", env={"DATABASE_URL": one.url()})
                self.assertEqual(0, beside.returncode, beside.stdout + beside.stderr)
                self.assertIn("servers are connected to the database", beside.stdout)
                self.assertIn("50 events in 10 streams", beside.stdout)
                self.assertIn("everything is as it was written", beside.stdout)
                self.assertIn("CREATE EXTENSION amcheck", beside.stdout)
            one.psql("CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO flexcore")
            flexcore.wait_until(lambda: one.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'flexcore'").strip() == "0",
                                "the server's sessions to end")
            sound = json.loads(cli("verify", "--store", one.url(), "--json").stdout)
            self.assertTrue(sound["sound"])
            self.assertFalse(sound["in_use"])
            self.assertGreater(sound["indexes"], 20)
            self.assertEqual([], sound["not_looked_at"])
            none = cli("verify", "--store", one.url(), "--set", "store.schema=nothing")
            self.assertEqual(2, none.returncode)
            self.assertIn("there is no such schema", none.stderr)
            one.psql("SET session_replication_role TO replica; UPDATE flexcore.events SET data = '[]' WHERE position = 7")
            damaged = cli("verify", "--store", one.url())
            self.assertEqual(1, damaged.returncode)
            self.assertIn("1 finding\n  events: event 7 is not what was written", damaged.stdout)
            self.assertIn("What to do", damaged.stdout)
            with serving(one) as server:
                client = server.client()
                self.assertEqual(500, client.ask("GET", "/v1/events?after=6&limit=1").status)
                self.assertEqual(200, client.ask("GET", "/v1/events?after=7&limit=1").status)
                client.close()

    def test_verify_reads_on_behind_a_page_that_the_database_cannot_read(self):
        with postgres(BUILD) as one:
            with serving(one) as server:
                client = server.client()
                for _ in range(30):
                    client.ask("POST", "/v1/streams/s/events", {"events": [{"type": "a", "data": "x" * 100} for _ in range(20)]})
                client.close()
            overwrite(one, "events", 2)
            looked = cli("verify", "--store", one.url(), "--json")
            self.assertEqual(1, looked.returncode)
            found = json.loads(looked.stdout)
            unread = [f for f in found["findings"] if "cannot be read" in f["what"]]
            self.assertEqual(1, len(unread), found["findings"])
            self.assertEqual(len(found["findings"]), len(unread), found["findings"])
            lost = unread[0]["last_position"] - unread[0]["first_position"] + 1
            self.assertEqual(600 - lost, found["events"])
            self.assertTrue(found["counted_in_part"])

    def test_verify_names_an_index_that_is_damaged(self):
        with postgres(BUILD) as one:
            with serving(one) as server:
                write(server, 50)
            one.psql("CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO flexcore")
            overwrite(one, "events_by_type", 1)
            looked = cli("verify", "--store", one.url())
            self.assertEqual(1, looked.returncode)
            self.assertIn("1 finding\n  events: the index events_by_type is damaged", looked.stdout)
            self.assertIn("REINDEX", looked.stdout)

    def doctor(self, *words):
        done = cli("doctor", "--listen", "127.0.0.1:0", "--json", *words)
        found = json.loads(done.stdout)
        for check in found["checks"]:
            self.assertEqual(check["verdict"] == "ok", check["advice"] == "", check)
        self.assertEqual(found["fit"], done.returncode == 0)
        return {check["check"]: check for check in found["checks"]}

    def test_doctor_looks_at_the_database(self):
        with postgres(BUILD, password=SECRET) as one, tempfile.TemporaryDirectory() as data:
            said = self.doctor("--store", one.url(), "--data", data)
            for check in ("database", "pooler", "encoding", "schema", "round trip", "autovacuum", "synchronous_commit",
                          "wal_level", "standbys", "connections", "TLS", "database clock", "data folder"):
                self.assertEqual("ok", said[check]["verdict"], said[check])
            self.assertIn("PostgreSQL 15.", said["database"]["found"])
            self.assertIn("to be made", said["schema"]["found"])
            self.assertIn("p50", said["commit latency"]["found"])
            for check in ("fsync", "full_page_writes"):  # the tests' own settings
                self.assertEqual("bad", said[check]["verdict"])
            self.assertEqual("warn", said["data_checksums"]["verdict"])
            self.assertNotIn("fsync latency", said)
            many = self.doctor("--store", one.url(), "--data", data, "--set", "store.sessions_max=900")
            self.assertEqual("bad", many["connections"]["verdict"])
            one.psql("ALTER ROLE flexcore SET synchronous_commit TO off")
            self.assertIn("FlexCore's sessions set it to on",
                          self.doctor("--store", one.url(), "--data", data)["synchronous_commit"]["found"])
            self.assertEqual("", one.psql("SELECT nspname FROM pg_namespace WHERE nspname = 'flexcore'").strip())
            text = cli("doctor", "--listen", "127.0.0.1:0", "--store", one.url(), "--data", data)
            self.assertEqual(1, text.stdout.count("fsync = on in postgresql.conf"))
            one.stop()
            gone = self.doctor("--store", one.url(), "--data", data)
            self.assertEqual("bad", gone["database"]["verdict"])
            self.assertIn("cannot be reached", gone["database"]["found"])

    def test_doctor_sees_poolers_and_standbys(self):
        with postgres(BUILD) as one, tempfile.TemporaryDirectory() as data:
            with pgbouncer(one.port, "session") as between:
                self.assertIn("session mode", self.doctor("--store", between.url(), "--data", data)["pooler"]["found"])
            with pgbouncer(one.port, "transaction") as between:
                said = self.doctor("--store", between.url(), "--data", data)
                self.assertEqual("bad", said["pooler"]["verdict"])
                self.assertIn("pool_mode=session", said["pooler"]["advice"])
                self.assertIn("pool_mode=session", cli("verify", "--store", between.url()).stderr)
            with one.standby("second", synchronous=True) as second:
                one.psql("GRANT pg_monitor TO flexcore")
                self.assertIn("1 connected, commits wait for 1",
                              self.doctor("--store", one.url(), "--data", data)["standbys"]["found"])
                with serving(one) as server:
                    write(server, 20)
                flexcore.wait_until(lambda: "20" in second.psql("SELECT position FROM flexcore.log_head"), "the standby to follow")
                looked = cli("verify", "--store", second.url() + "?target_session_attrs=any")
                self.assertEqual(0, looked.returncode, looked.stdout + looked.stderr)
                self.assertIn("20 events", looked.stdout)
                refused = self.doctor("--store", second.url(), "--data", data)
                self.assertEqual("bad", refused["database"]["verdict"])
            alone = self.doctor("--store", one.url(), "--data", data)
            self.assertIn("none of them is connected", alone["standbys"]["advice"])
            self.assertNotIn("commit latency", alone)

    def test_doctor_tells_whether_the_way_is_encrypted(self):
        with tempfile.TemporaryDirectory() as folder:
            names = [os.path.join(folder, name) for name in ("server.key", "server.crt")]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                            "-subj", "/CN=127.0.0.1", "-keyout", names[0], "-out", names[1]], check=True, capture_output=True)
            one = postgres(BUILD, settings={"ssl": "on"})
            for name in names:
                with open(name, encoding="ascii") as file:
                    one.place(os.path.basename(name), file.read())
            with one:
                self.assertIn("TLSv1.3, sslmode=prefer", self.doctor("--store", one.url(), "--data", folder)["TLS"]["found"])
                self.assertIn("none", self.doctor("--store", one.url() + "?sslmode=disable", "--data", folder)["TLS"]["found"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=BUILD)
    options, words = parser.parse_known_args()
    BUILD = os.path.abspath(options.build)
    unittest.main(argv=[sys.argv[0], *words])
