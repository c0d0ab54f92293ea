#!/usr/bin/env python3
"""clang-format 19 over all C and C++ files: checks, or writes with --fix."""
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from code_files import ROOT, code_files  # noqa: E402


def main():
    files = code_files()
    if "--fix" in sys.argv[1:]:
        return subprocess.run(["clang-format-19", "-i", *files], cwd=ROOT, check=False).returncode
    done = subprocess.run(["clang-format-19", "--dry-run", "--Werror", "--ferror-limit=1", *files], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    for line in re.findall(r"^\S+:\d+:\d+: error:.*", done.stderr, re.M):
        print(line.split(" [")[0])
    if done.returncode:
        print("fix: clang-format-19 -i FILE, or tests/tidy/format.py --fix for all")
    else:
        print(f"{len(files)} files are formatted")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
