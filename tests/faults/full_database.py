#!/usr/bin/env python3
"""The disk that PostgreSQL keeps the tables on is full under load (a small tmpfs): writes are refused with 507, reads go on,
and writing resumes by itself when space is freed. Needs root for the mount; skipped (exit 77) where that is not possible.

usage: full_database.py [--build DIR] [--rounds 2] [--seed N]
"""
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
import full_disk  # noqa: E402
from ledger import ledger  # noqa: E402
from one_run import one_run  # noqa: E402
from postgres import OWNER, postgres  # noqa: E402


def tables_on(database, disk):
    """Tables that the server makes from now on are there; what PostgreSQL itself needs is elsewhere."""
    folder = os.path.join(disk, "tables")
    os.mkdir(folder)
    os.chmod(disk, 0o755)
    os.chown(folder, database.uid, database.gid)
    database.psql(f"CREATE TABLESPACE small LOCATION '{folder}'")
    database.psql(f"GRANT CREATE ON TABLESPACE small TO {OWNER}; ALTER ROLE {OWNER} SET default_tablespace = small")


def run(options, dice, disk):
    filler = os.path.join(disk, "filler")
    book = ledger()
    with postgres(options.build, fsync=True) as database:
        tables_on(database, disk)
        settings = {"store.url": database.url(), "store.schema": "small"}
        with flexcore.server(options.build, ["counter", "orders"], settings) as server:
            for number in range(1, options.rounds + 1):
                running = clients.load(server.port, book, dice)
                before = book.count()[1]
                flexcore.wait_until(lambda: book.count()[1] > before + 100, "acknowledgements under load")
                full_disk.write_until_refused(server, book, dice, filler)
                running.end()
                full_disk.all_ways_are_refused(server, book, dice, filler)
                full_disk.reads_go_on(server)
                os.remove(filler)
                full_disk.resumes(server, book, dice)
                checks.everything_holds(server.client(), book)
                clients.send_again(server.port, book)
                events = checks.everything_holds(server.client(), book)
                checks.commands_took_effect_once(book, events)
                sent, told, refused, _ = book.count()
                print(f"round {number}: {len(events)} events; {sent} sent, {told} acknowledged, {refused} refused", flush=True)
            checks.everybody_took_part(book, clients.KINDS)
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")


def main():
    try:
        with full_disk.small_disk() as disk:
            return one_run(lambda options, dice: run(options, dice, disk),
                           "writes refused as full, reads gone on, writing resumed, nothing acknowledged lost", rounds=2)
    except full_disk.no_mount as error:
        print(f"SKIPPED: a small disk cannot be mounted here (it needs root and the right to mount): {error}")
        return full_disk.SKIPPED


if __name__ == "__main__":
    sys.exit(main())
