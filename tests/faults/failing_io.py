#!/usr/bin/env python3
"""Reads and writes of the store's files fail (libfiu): always, then now and then under load. What is answered is a problem
document with 503, never anything untrue, and while reads fail some are refused; afterwards everything is as it should be,
without anybody doing anything.

usage: failing_io.py [--build DIR] [--rounds 2] [--seed N]
"""
import argparse
import os
import random
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from failing_fdatasync import EIO, LIBRARIES, control  # noqa: E402
from ledger import ledger  # noqa: E402

# Only SQLite reads and writes at a place: sockets and the log file have other calls.
READ, WRITE, SYNC = "posix/io/rw/pread", "posix/io/rw/pwrite", "posix/io/sync/fdatasync"
ALL = (READ, WRITE, SYNC)
TARGETS = ("/v1/events?limit=5", "/v1/events?limit=5&direction=backward", "/v1/streams?limit=20",
           "/v1/streams/shared-1/events?limit=5", "/v1/read-models/counters?limit=10",
           "/v1/events?limit=1000&after=1", "/v1/read-models/orders?limit=1000")


# Together several times the 2 MiB of pages that a connection of the log keeps in memory (src/store/sqlite/event_log.cpp).
LARGE_EVENTS, LARGE_AT_ONCE, LARGE_BYTES = 256, 4, 32 * 1024


def fail_always(server, *points):
    control(server, *[f"enable name={point},failnum=1,failinfo={EIO}" for point in points])


def fail_sometimes(server, probability, *points):
    control(server, *[f"enable_random name={point},probability={probability},failnum=1,failinfo={EIO}" for point in points])


def heal(server):
    control(server, *[f"disable name={point}" for point in ALL])


def well_said(answer, what):
    """Right, or refused as temporary with a problem document. Whether it was refused."""
    if answer.status in (200, 201, 404, 409):
        return False
    checks.demand(answer.status in (503, 507), f"{what} is answered {answer.status}: {answer.body[:300]!r}")
    body = answer.json()
    checks.demand(body.get("code") in ("store_unavailable", "store_full", "busy") and body["status"] == answer.status,
                  f"{what}: {body}")
    return True


def writes_are_refused(server, book, dice):
    one = server.client()
    for number in range(10):
        wanted = clients.append("probe", 1, dice) if number % 2 else clients.command("counter.increment", "probe", {"by": 1})
        book.sent(wanted)
        answer = one.ask("POST", wanted.target, wanted.text())
        book.answered(wanted, answer.status, answer.json())
        checks.demand(answer.status in (503, 507), f"a write is acknowledged as {answer.status} though the disk refuses")
        well_said(answer, wanted.target)


def read_everything(server):
    """How many reads were refused."""
    one = server.client()
    return sum(well_said(one.ask("GET", target), target) for target in TARGETS)


def fill(server, book, dice):
    """More than the readers' page caches hold: whoever reads all of it reads the file."""
    one = server.client()
    for number in range(LARGE_EVENTS // LARGE_AT_ONCE):
        wanted = clients.append(f"large-{number}", LARGE_AT_ONCE, dice, padding=LARGE_BYTES)
        book.sent(wanted)
        answer = one.ask("POST", wanted.target, wanted.text())
        book.answered(wanted, answer.status, answer.json())
        checks.demand(wanted.state == "acknowledged", f"an append to a disk that works is answered {answer.status}")


def read_large(server):
    """All of what `fill` wrote, in small pages. How many of them were refused."""
    one = server.client()
    targets = [f"/v1/streams/large-{number}/events" for number in range(LARGE_EVENTS // LARGE_AT_ONCE)]
    return sum(well_said(one.ask("GET", target), target) for target in targets)


def recovers(server):
    flexcore.wait_until(lambda: server.client().ask("GET", "/readyz").status == 200, "/readyz to be 200 again")
    flexcore.wait_until(lambda: server.client().ask("GET", "/healthz").json()["status"] == "healthy", "/healthz to say so")
    for target in TARGETS:
        answer = server.client().ask("GET", target)
        checks.demand(answer.status in (200, 404), f"{target} is answered {answer.status} when the disk works again")


def holds(server, book):
    one = server.client()
    checks.everything_holds(one, book)
    clients.send_again(server.port, book)
    checks.commands_took_effect_once(book, checks.everything_holds(one, book))


def play(server, book, dice, rounds):
    fill(server, book, dice)
    for number in range(1, rounds + 1):
        running = clients.load(server.port, book, dice)
        before = book.count()[1]
        flexcore.wait_until(lambda: book.count()[1] > before + 100, "acknowledgements under load")
        running.end()

        fail_always(server, WRITE)
        writes_are_refused(server, book, dice)
        read_everything(server)
        heal(server)
        recovers(server)
        holds(server, book)

        fail_always(server, READ)
        unread = read_large(server)
        for _ in range(5):
            unread += read_everything(server)
        heal(server)
        checks.demand(unread > 0, "every read was answered though no file can be read: none of them reached it")
        recovers(server)
        holds(server, book)

        running = clients.load(server.port, book, dice)
        before, now_and_then = book.count()[1], 0
        for points in ((READ,), (WRITE,), (SYNC,), ALL):
            fail_sometimes(server, 0.02, *points)
            now_and_then += read_large(server)
            for _ in range(10):
                now_and_then += read_everything(server)
            heal(server)
            flexcore.wait_until(lambda: book.count()[1] > before + 20, "acknowledgements after the disk failed now and then")
            before = book.count()[1]
        running.end()
        checks.demand(now_and_then > 0, "no read was refused though one of 50 fails")
        recovers(server)
        holds(server, book)
        sent, told, refused, _ = book.count()
        print(f"round {number}: {sent} sent, {told} acknowledged, {refused} refused; "
              f"{unread} reads refused while all fail, {now_and_then} while some do", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)
    book = ledger()
    server = flexcore.server(os.path.abspath(options.build), ["counter", "orders"])
    server.env = {"LD_PRELOAD": LIBRARIES, "FIU_CTRL_FIFO": os.path.join(server.folder, "fiu"), "FIU_ENABLE": ""}
    with server:
        try:
            play(server, book, dice, options.rounds)
            # Killed: libfiu's own thread does not block SIGTERM.
            server.kill()
            server.env = {}
            server.start()
            holds(server, book)
            checks.everybody_took_part(book, clients.KINDS)
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        except flexcore.failure as error:
            print(f"FAILED (seed {options.seed}): {error}\n--- log of the server\n{server.log(3000)}")
            return 1
    print("every answer true or refused as temporary, everything well afterwards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
