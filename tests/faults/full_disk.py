#!/usr/bin/env python3
"""The disk is full under load (a small tmpfs): writes are refused with 507, reads go on, and writing resumes by itself
when space is freed. Needs root for the mount; skipped (exit 77) where that is not possible.

usage: full_disk.py [--build DIR] [--rounds 3] [--seed N]
"""
import argparse
import contextlib
import errno
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger, operation  # noqa: E402

SKIPPED = 77
DISK_MIB = 48
LARGE_BYTES = 200_000
TRIES_MAX = 500


class no_mount(Exception):
    pass


@contextlib.contextmanager
def small_disk():
    folder = tempfile.mkdtemp(prefix="flexcore-disk-")
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "flexcore-test", folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise no_mount(done.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=False)
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def fill(file):
    """Takes every block that is left."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    os.write(handle, b"x" * size)
    finally:
        os.close(handle)


def large(dice):
    return clients.append(f"large-{dice.randrange(5)}", 1, dice, padding=LARGE_BYTES)


def is_refused_as_full(answer):
    if answer.status != 507:
        return False
    body = answer.json()
    checks.demand(body["code"] == "store_full" and body["status"] == 507, f"507 says {body}")
    checks.demand(answer.header("content-type") == "application/problem+json", "507 is no problem document")
    checks.demand(answer.header("retry-after") is not None, "507 does not say when to try again")
    return True


def write_until_refused(server, book, dice, filler):
    """The WAL has room of its own: the disk is not full for the store before that is used up."""
    one = server.client()
    for _ in range(TRIES_MAX):
        fill(filler)
        wanted = large(dice)
        book.sent(wanted)
        answer = one.ask("POST", wanted.target, wanted.text())
        book.answered(wanted, answer.status, answer.json())
        if is_refused_as_full(answer):
            return
        checks.demand(answer.status == 201, f"a write on a filling disk is answered {answer.status}: {answer.body[:300]!r}")
    raise flexcore.failure("the disk is full and writes are not refused")


def all_ways_are_refused(server, book, dice, filler):
    """Whatever needs room is refused as full; nothing else than that is said."""
    fill(filler)
    one = server.client()
    for wanted in (large(dice), large(dice), clients.command("counter.increment", "large" + "x" * 100, {"by": 1})):
        book.sent(wanted)
        answer = one.ask("POST", wanted.target, wanted.text())
        book.answered(wanted, answer.status, answer.json())
        checks.demand(is_refused_as_full(answer) or answer.status in (200, 201),
                      f"a write on a full disk is answered {answer.status}: {answer.body[:300]!r}")
    lines = [large(dice) for _ in range(3)]
    lines = [operation("line", "/v1/append", {"stream": p.events[0][0], **p.body}, p.events) for p in lines]
    for line in lines:
        book.sent(line)
    answer = one.ask("POST", "/v1/append", "".join(line.text() + "\n" for line in lines), {"Content-Type": "application/x-ndjson"})
    for line, text in zip(lines, answer.body.decode().splitlines()):
        body = flexcore.json.loads(text)
        book.answered(line, body.get("status", answer.status), body)
        checks.demand(body.get("code") == "store_full", f"a line on a full disk is answered {text[:300]}")


def reads_go_on(server):
    one = server.client()
    health = one.ask("GET", "/healthz")
    checks.demand(health.status == 200 and health.json()["status"] == "degraded", f"/healthz says {health.body[:300]!r}")
    for target in ("/v1/events?limit=10", "/v1/streams?limit=10", "/v1/read-models/counters?limit=10", "/livez", "/readyz"):
        answer = one.ask("GET", target)
        checks.demand(answer.status == 200, f"{target} is answered {answer.status} on a full disk")


def a_backup_does_not_fit(server, disk):
    """It says so, and takes nothing of the little room that is left."""
    before = sorted(os.listdir(disk))
    done = subprocess.run([os.path.join(server.build, "flexcore"), "backup", "--data", server.data, "--to", os.path.join(disk, "copy")],
                          capture_output=True, text=True, check=False)
    checks.demand(done.returncode == 1 and "full" in done.stderr, f"a backup onto a full disk: {done.returncode}, {done.stderr[:300]!r}")
    checks.demand(sorted(os.listdir(disk)) == before, f"a backup that did not fit left {sorted(os.listdir(disk))}")


def resumes(server, book, dice):
    """No restart, no other request than the write itself."""
    def accepted():
        wanted = large(dice)
        book.sent(wanted)
        answer = server.client().ask("POST", wanted.target, wanted.text())
        book.answered(wanted, answer.status, answer.json())
        checks.demand(answer.status in (201, 503, 507), f"after space was freed a write is answered {answer.status}")
        return answer.status == 201
    flexcore.wait_until(accepted, "a write to be accepted after space was freed")
    flexcore.wait_until(lambda: server.client().ask("GET", "/healthz").json()["status"] == "healthy", "/healthz to say so")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)
    try:
        with small_disk() as disk:
            return run(options, dice, disk)
    except no_mount as error:
        print(f"SKIPPED: a small disk cannot be mounted here (it needs root and the right to mount): {error}")
        return SKIPPED


def run(options, dice, disk):
    filler = os.path.join(disk, "filler")
    book = ledger()
    settings = {"store.wal_bytes_max": 1 << 20}
    with flexcore.server(os.path.abspath(options.build), ["counter", "orders"], settings, os.path.join(disk, "data")) as server:
        try:
            for number in range(1, options.rounds + 1):
                running = clients.load(server.port, book, dice)
                before = book.count()[1]
                flexcore.wait_until(lambda: book.count()[1] > before + 100, "acknowledgements under load")
                write_until_refused(server, book, dice, filler)
                running.end()
                all_ways_are_refused(server, book, dice, filler)
                reads_go_on(server)
                a_backup_does_not_fit(server, disk)
                os.remove(filler)
                resumes(server, book, dice)
                one = server.client()
                checks.everything_holds(one, book)
                clients.send_again(server.port, book)
                events = checks.everything_holds(one, book)
                checks.commands_took_effect_once(book, events)
                sent, told, refused, _ = book.count()
                print(f"round {number}: {len(events)} events; {sent} sent, {told} acknowledged, {refused} refused", flush=True)
            # Killed with the disk full: what was acknowledged can be read before space is freed.
            write_until_refused(server, book, dice, filler)
            server.kill()
            fill(filler)
            server.start()
            checks.log_holds(server.client(), book)
            os.remove(filler)
            resumes(server, book, dice)
            clients.send_again(server.port, book)
            checks.commands_took_effect_once(book, checks.everything_holds(server.client(), book))
            checks.everybody_took_part(book, clients.KINDS)
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        except (flexcore.failure, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.ECONNREFUSED:
                raise
            print(f"FAILED (seed {options.seed}): {error}\n--- log of the server\n{server.log(3000)}")
            return 1
    print("writes refused as full, reads gone on, writing resumed, nothing acknowledged lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
