#!/usr/bin/env python3
"""clang-tidy 19 over the sources a change touches, or over all of them.

usage: clang_tidy.py [--all] [--build DIR] [--jobs N] [--base COMMIT] [--minutes M] [FILE…]

Changed means: against the merge base with FLEXCORE_TIDY_BASE, origin/main or the commit before, uncommitted
files included. A changed header is checked through one source that includes it. A file that passed is not
checked again as long as it, the project's headers it includes, its command and .clang-tidy stay the same.
--minutes bounds a run whose change touches very much; what it left unchecked is counted, and checked by the next run.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from code_files import ROOT, code_files  # noqa: E402

ANALYZER = "clang-analyzer-core.*,clang-analyzer-cplusplus.*,clang-analyzer-deadcode.*"
_QUOTED = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def changed_files(base):
    head = git("rev-parse", "HEAD")
    for candidate in filter(None, (base, os.environ.get("FLEXCORE_TIDY_BASE"), "origin/main")):
        start = git("merge-base", "HEAD", candidate)
        if start and start != head:
            break
    else:
        start = git("rev-parse", "HEAD~1")
    names = git("diff", "--name-only", "--diff-filter=d", start or "HEAD").split("\n")
    names += git("ls-files", "--others", "--exclude-standard").split("\n")
    return {n for n in names if n}


class sources:
    """What clang-tidy can be run on, and which project files each source includes."""

    def __init__(self, build):
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            entries = json.load(file)
        self.build = build
        self.commands = {}
        for entry in entries:
            path = os.path.relpath(os.path.realpath(entry["file"]), ROOT)
            if path.startswith(("src/", "plugins/", "tests/")):
                self.commands[path] = self._for_clang(entry)
        self._includes = {}

    @staticmethod
    def _for_clang(entry):
        """The command without compiler launcher, precompiled header and what only gcc knows.

        Without the precompiled header a file takes half the time, and has to include what it uses.
        """
        words = shlex.split(entry["command"])
        while words and not re.search(r"(^|/)(c\+\+|g\+\+|gcc|cc|clang\+\+|clang)(-\d+)?$", words[0]):
            words.pop(0)
        drop = {"-fpch-preprocess", "-Winvalid-pch", "-fno-gnu-unique", "-Wno-tsan", "-Werror"}
        kept, left_out = [], False
        for word in words:
            if not left_out and word not in drop and word != "-include":
                kept.append(word)
            left_out = word == "-include"
        return kept + ["-Wno-unknown-warning-option"]

    def includes(self, path):
        """All project files `path` includes, itself among them."""
        seen, open_ = set(), [path]
        while open_:
            one = open_.pop()
            if one in seen:
                continue
            seen.add(one)
            if one not in self._includes:
                with open(os.path.join(ROOT, one), encoding="utf-8", errors="replace") as file:
                    names = _QUOTED.findall(file.read())
                self._includes[one] = [
                    os.path.normpath(p) for name in names
                    for p in (os.path.join(os.path.dirname(one), name), "src/" + name, "include/" + name, "tests/" + name)
                    if os.path.isfile(os.path.join(ROOT, p))]
            open_ += self._includes[one]
        return seen

    def touched_by(self, changed):
        """The changed sources, and one source for each changed header that none of them includes."""
        chosen = {p for p in self.commands if p in changed}
        covered = set().union(*(self.includes(p) for p in chosen)) if chosen else set()
        for header in sorted(p for p in changed if p.endswith((".hpp", ".h")) and p not in covered):
            stem = os.path.splitext(header)[0]
            users = [p for p in sorted(self.commands) if header in self.includes(p)]
            users.sort(key=lambda p: os.path.splitext(p)[0] != stem)
            if users:
                chosen.add(users[0])
                covered |= self.includes(users[0])
        return sorted(chosen)

    def fingerprint(self, path):
        digest = hashlib.sha256(" ".join(self.commands[path]).encode())
        for name in [".clang-tidy", "tests/.clang-tidy", *sorted(self.includes(path))]:
            with open(os.path.join(ROOT, name), "rb") as file:
                digest.update(name.encode() + b"\0" + file.read() + b"\0")
        return digest.hexdigest()


def check(path, database, more):
    done = subprocess.run(["clang-tidy-19", "--quiet", "-p", database, *more, os.path.join(ROOT, path)], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    # A finding is its line, the source line and the mark under it; notes that explain macros are left out.
    findings = re.findall(r"^\S+:\d+:\d+: (?:error|warning):.*(?:\n +[\d ]*\|.*)*", done.stdout, re.M)
    text = "\n".join(findings) or done.stdout + done.stderr
    return path, done.returncode == 0, text.replace(ROOT + "/", "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--base")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()

    files = sources(options.build)
    if options.files:
        chosen = [p for p in options.files if p in files.commands]
    elif options.all:
        chosen = sorted(files.commands)
    else:
        chosen = files.touched_by(changed_files(options.base) & set(code_files()))

    more = [f"--checks={ANALYZER}"] if options.all else []
    cache = os.path.join(options.build, "tidy-all" if options.all else "tidy")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump([{"directory": options.build, "file": os.path.join(ROOT, p), "arguments": files.commands[p]}
                   for p in chosen], file)
    marks = {p: os.path.join(cache, files.fingerprint(p)) for p in chosen}
    open_ = [p for p in chosen if not os.path.exists(marks[p])]
    print(f"clang-tidy: {len(chosen)} sources, {len(chosen) - len(open_)} unchanged since they passed", flush=True)

    failed, left, begun = [], 0, time.monotonic()

    def checked(path):
        if options.minutes and time.monotonic() - begun > options.minutes * 60:
            return path, None, ""
        return check(path, cache, more)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = [pool.submit(checked, p) for p in open_]
        for number, done in enumerate(concurrent.futures.as_completed(waiting), 1):
            path, passed, text = done.result()
            if passed is None:
                left += 1
                continue
            print(f"[{number}/{len(open_)}] {path}{'' if passed else ': findings'}", flush=True)
            if passed:
                with open(marks[path], "w", encoding="utf-8"):
                    pass
            else:
                failed.append(path)
                print(text, flush=True)
    late = f", {left} left unchecked after {options.minutes:g} minutes" if left else ""
    print(f"clang-tidy: {len(failed)} of {len(chosen)} sources with findings{late}, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
