#!/usr/bin/env python3
"""Every operation of /openapi.json is asked for by some scenario that expects it to succeed. What cannot be is listed here, explained.

usage: coverage.py [--build DIR]
"""
import argparse
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import flexcore  # noqa: E402
import openapi  # noqa: E402
import script  # noqa: E402

# (verb, path): why no scenario asks for it.
EXPLAINED = {}
GOES_WELL = re.compile("101|[23]..")


def asked_in(one):
    """(method, target) of each request of a scenario whose answer is to be below 400."""
    for step in one.steps:
        if step.kind == "do":
            words = step.head.split(" ")
            if words[:2] == ["sse", "open"]:
                yield "GET", words[3]
            continue
        asked = [tuple(step.head.split(" ")[:2])]
        if step.kind == "raw":
            asked = script.requests_in(script.raw_bytes(step.lines))
        answers = [expected.head.removeprefix("part ") for expected in step.expects if expected.head != "100"]
        for (method, target), answer in zip(asked, answers):
            if method not in (None, "HEAD") and GOES_WELL.match(answer):
                yield method, target


def unasked(document, scenarios):
    """Operations that no scenario asks for, as (verb, path)."""
    checker = openapi.checker(document)
    verbs = {"get", "put", "post", "delete", "patch"}
    missing = {(verb, path) for path, operations in document["paths"].items() for verb in operations if verb in verbs}
    for one in scenarios:
        for method, target in asked_in(one):
            missing.discard(checker.operation(method, target))
    return missing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release"))
    options = parser.parse_args()
    scenarios = [one for file in sorted(glob.glob(os.path.join(HERE, "[a-z]*.txt"))) for one in script.read(file)]
    with flexcore.server(os.path.abspath(options.build)) as server:
        document = server.client().ask("GET", "/openapi.json").json()
    missing = unasked(document, scenarios)
    wrong = [f"no scenario asks for {verb.upper()} {path} with success" for verb, path in sorted(missing - set(EXPLAINED))]
    wrong += [f"{verb.upper()} {path} is on the list of what no scenario asks for, and need not be"
              for verb, path in sorted(set(EXPLAINED) - missing)]
    print("\n".join(wrong) or f"{len(scenarios)} scenarios ask for all operations but {len(EXPLAINED)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
