#!/usr/bin/env python3
"""Checks the rules of the house over the whole tree; exits 1 and names file, line and fix when one is broken.

usage: tidy.py [ROOT]      (default: the repository this file stands in)
"""
import os
import sys

sys.dont_write_bytecode = True
import edges  # noqa: E402
import rules  # noqa: E402
import sources  # noqa: E402


def check(root, edges_text):
    """[(path, line, rule, message)] of everything that is wrong below `root`."""
    house = edges.house(edges_text)
    tree = sources.tree(root)
    found = []
    for rule in rules.ALL:
        found += [(path, line, rule.__name__, message) for path, line, message in rule(tree, house)]
    return sorted(found), tree


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
    with open(os.path.join(here, "edges.txt"), encoding="utf-8") as file:
        edges_text = file.read()
    try:
        found, tree = check(root, edges_text)
    except edges.edges_error as error:
        print(error)
        return 1
    for path, lines in rules.long_files(tree):
        print(f"note: {path}: {lines} lines; above {rules.LINES_ASKED} a file asks for a split")
    for path, line, rule, message in found:
        print(f"{path}:{line}: [{rule}] {message}")
    print(f"{len(tree.sources)} files, {len(found)} against the rules of the house")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
