"""What the fault tests on PostgreSQL servers of their own share: their words, their seed, how they end."""
import argparse
import os
import random

import flexcore

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def one_run(run, held, rounds=None):
    """run(options, dice) until it returns or fails; `held` is what has held then. The exit code. rounds: how many, when there are any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    options.build = os.path.abspath(options.build)
    print(f"seed {options.seed}" + ("" if rounds is None else f", {options.rounds} rounds"), flush=True)
    try:
        run(options, random.Random(options.seed))
    except flexcore.failure as error:
        print(f"FAILED (seed {options.seed}): {error}")
        return 1
    print(held)
    return 0
