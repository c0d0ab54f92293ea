#!/usr/bin/env python3
"""kill -9 at random moments under load, again and again on the same data.

After each kill: every acknowledged event is there exactly once, every other at most once and whole; positions and versions
have no gaps; read models equal a fold of the log. Then whatever had no answer is sent again, and took effect exactly once.

usage: kill_rounds.py [--build DIR] [--rounds 20] [--seed N]
"""
import argparse
import os
import random
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import flexcore  # noqa: E402
from clients import KINDS, load, send_again  # noqa: E402
from ledger import ledger  # noqa: E402

LOAD_S = (0.02, 1.2)


def run_until(server, book, dice, seconds):
    """Load, and a kill at a moment nobody has chosen."""
    running = load(server.port, book, dice)
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.running():
        time.sleep(min(0.005, max(0.0, end - time.monotonic())))  # polling interval: the moment of the kill is random
    checks.demand(server.running(), f"the server ended by itself\n{server.log()}")
    running.kill(server)


def kill_while_starting(server, dice):
    """A kill in the middle of recovery must change nothing."""
    import threading
    moment = dice.uniform(0.0, 0.08)
    killer = threading.Timer(moment, lambda: server.process.kill())
    try:
        starting = threading.Thread(target=lambda: _start_quietly(server))
        killer.start()
        starting.start()
        starting.join()
        killer.join()
    finally:
        if server.running():
            server.kill()


def _start_quietly(server):
    try:
        server.start()
    except (flexcore.failure, OSError, ValueError):
        pass  # killed before it was up


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)

    book = ledger()
    with flexcore.server(os.path.abspath(options.build), ["counter", "orders"]) as server:
        try:
            met = 0  # operations that a kill has met without an answer
            for number in range(1, options.rounds + 1):
                run_until(server, book, dice, dice.uniform(*LOAD_S))
                interrupted = dice.random() < 0.3
                if interrupted:
                    kill_while_starting(server, dice)
                took = server.start()
                one = server.client()
                events = checks.everything_holds(one, book)
                sent, told, refused, open_ = book.count()
                met += open_
                print(f"round {number}: started in {took:.2f} s{' (killed while starting before)' if interrupted else ''}, "
                      f"{len(events)} events; {sent} sent, {told} acknowledged, {refused} refused, {open_} without answer", flush=True)
                send_again(server.port, book)  # the next round checks that each took effect once
            checks.commands_took_effect_once(book, checks.everything_holds(server.client(), book))
            checks.everybody_took_part(book, KINDS)
            checks.demand(met > 0, "no kill has met an operation at work: the load is too thin to prove anything")
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        except flexcore.failure as error:
            print(f"FAILED (seed {options.seed}): {error}\n--- log of the server\n{server.log(3000)}")
            return 1
    print(f"{options.rounds} rounds, nothing lost, nothing twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
