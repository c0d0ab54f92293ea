#!/usr/bin/env python3
"""fsync and fdatasync fail under load (libfiu): nothing is acknowledged meanwhile, nothing acknowledged is lost, and the
server takes writes again when the disk does.

usage: failing_fdatasync.py [--build DIR] [--rounds 3] [--seed N]
"""
import argparse
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger  # noqa: E402

POINTS = ("posix/io/sync/fsync", "posix/io/sync/fdatasync")
LIBRARIES = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"
EIO = 5
PROBES = 20


def control(server, *commands):
    """Commands for libfiu inside the server; returns when it has taken them."""
    words = ["fiu-ctrl", "-f", os.path.join(server.folder, "fiu")]
    for command in commands:
        words += ["-c", command]
    done = subprocess.run([*words, str(server.process.pid)], capture_output=True, text=True, timeout=30, check=False)
    checks.demand(done.returncode == 0, f"fiu-ctrl: {done.stdout}{done.stderr}")


def fail_syncs(server):
    control(server, *[f"enable name={point},failnum=1,failinfo={EIO}" for point in POINTS])


def heal(server):
    control(server, *[f"disable name={point}" for point in POINTS])


def health(one):
    return one.ask("GET", "/healthz").json()


def probe(server, book, dice):
    """Writes while every fsync fails: none may be acknowledged, the server must live and say how it is."""
    for number in range(PROBES):
        one = server.client()
        wanted = clients.append("probe", 1, dice) if number % 2 else clients.command("counter.increment", "probe", {"by": 1})
        book.sent(wanted)
        answer = one.ask("POST", wanted.target, wanted.text())
        checks.demand(answer.status == 503, f"a write while fdatasync fails is answered {answer.status}: {answer.body[:300]!r}")
        checks.demand(answer.json()["code"] in ("store_unavailable", "busy"), f"refused as {answer.json()['code']}")
        book.answered(wanted, answer.status, answer.json())
    one = server.client()
    said = health(one)
    checks.demand(said["status"] == "unhealthy", f"/healthz says {said} while the store is fenced")
    checks.demand(one.ask("GET", "/readyz").status == 503, "/readyz asks for traffic while the store is fenced")
    checks.demand(one.ask("GET", "/livez").status == 200, "/livez asks others")
    checks.demand(one.ask("GET", "/v1/events?limit=1").status == 200, "reads do not go on")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)

    book = ledger()
    server = flexcore.server(os.path.abspath(options.build), ["counter", "orders"])
    server.env = {"LD_PRELOAD": LIBRARIES, "FIU_CTRL_FIFO": os.path.join(server.folder, "fiu"), "FIU_ENABLE": ""}
    with server:
        try:
            for number in range(1, options.rounds + 1):
                running = clients.load(server.port, book, dice)
                before = book.count()[1]
                flexcore.wait_until(lambda: book.count()[1] > before + 100, "acknowledgements under load")
                fail_syncs(server)
                # What was committed before may still be answered; then a failing commit answers 503.
                flexcore.wait_until(lambda: health(server.client())["status"] == "unhealthy", "the store to be fenced")
                running.end()
                probe(server, book, dice)
                heal(server)
                flexcore.wait_until(lambda: server.client().ask("GET", "/readyz").status == 200, "the store to recover")
                one = server.client()
                checks.everything_holds(one, book)
                clients.send_again(server.port, book)
                events = checks.everything_holds(one, book)
                checks.commands_took_effect_once(book, events)
                sent, told, refused, _ = book.count()
                print(f"round {number}: {len(events)} events; {sent} sent, {told} acknowledged, {refused} refused", flush=True)
            # Fenced when it is killed: what was acknowledged must be there all the same.
            fail_syncs(server)
            probe(server, book, dice)
            server.kill()
            server.env = {}
            server.start()
            checks.everything_holds(server.client(), book)
            clients.send_again(server.port, book)
            checks.commands_took_effect_once(book, checks.everything_holds(server.client(), book))
            checks.everybody_took_part(book, clients.KINDS)
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        except flexcore.failure as error:
            print(f"FAILED (seed {options.seed}): {error}\n--- log of the server\n{server.log(3000)}")
            return 1
    print("nothing acknowledged while the disk failed, nothing acknowledged lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
