#!/usr/bin/env python3
"""Follows a README as a new user would, and compares what it promises with what happens.

usage: read_me.py README --build DIR

In the fenced blocks, what stands behind "$ " is typed into one shell (going on over lines while a quote is open);
the lines that follow must be answered: "…" in a line is any text, a line of only "…" any lines. A block of diff is
applied. `flexcore serve` runs beside, on a free port instead of 8080. The folder is named flexcore, as after a clone.
"""
import argparse
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARK = "--- the shell is done:"
BOUND_S = 120


def blocks(text):
    """(language, lines) of each fenced block, without its indentation."""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.M | re.S):
        indent = len(match[1])
        yield match[2], [line[indent:] for line in match[3].split("\n")[:-1]]


def is_whole(command):
    try:
        shlex.split(command)
        return True
    except ValueError:
        return False


def steps(lines):
    """(command, expected lines) of one block."""
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            at += 1
            continue
        command = lines[at][2:]
        at += 1
        while not is_whole(command):
            command += "\n" + lines[at]
            at += 1
        expected = []
        while at < len(lines) and not lines[at].startswith("$ "):
            expected.append(lines[at])
            at += 1
        yield command, expected


def matches(expected, output):
    """Whether the output, blanks at line ends aside, is what was promised."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    return re.fullmatch(pattern, output) is not None


class reader:
    def __init__(self, build, folder):
        self.folder = os.path.join(folder, "flexcore")
        os.makedirs(os.path.join(self.folder, "build"))
        for name in ("plugins", "include", "tools", "config"):
            os.symlink(os.path.join(ROOT, name), os.path.join(self.folder, name))
        os.symlink(build, os.path.join(self.folder, "build", "release"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("FLEXCORE_") and name != "DATABASE_URL"}
        environment |= {"FLEXCORE_HTTP_PORT": self.port, "FLEXCORE_URL": f"http://127.0.0.1:{self.port}", "LC_ALL": "C.UTF-8"}
        self.shell = subprocess.Popen(["bash"], cwd=self.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.ask("shopt -s expand_aliases; set -m")

    def ask(self, command):
        self.shell.stdin.write(f"{command}\necho; echo '{MARK}'\n")
        self.shell.stdin.flush()
        out = ""
        while not out.endswith(MARK + "\n"):
            line = self.shell.stdout.readline()
            if not line:
                raise SystemExit(f"the shell ended at: {command}\n{out}")
            out += line
        return out.removesuffix(MARK + "\n").removesuffix("\n")

    def serve(self, command):
        """Beside; what it has said once it is ready."""
        said = os.path.join(os.path.dirname(self.folder), "server.out")
        self.ask(f"{command.removesuffix('&')} >{said} 2>{said}.err &")
        until = time.monotonic() + BOUND_S
        while time.monotonic() < until:
            try:
                with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        break
            except OSError:
                pass
            time.sleep(0.05)  # polling interval
        with open(said, encoding="utf-8") as file:
            return file.read()

    def run(self, command):
        if re.search(r"\bflexcore serve\b", command):
            out = self.serve(command)
        else:
            out = self.ask(command.replace("localhost:8080", f"localhost:{self.port}"))
        out = out.replace(f"127.0.0.1:{self.port}", "127.0.0.1:8080")
        return out if out.endswith("\n") or not out else out + "\n"

    def apply(self, lines):
        where = self.ask("pwd").strip()
        subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=where, input="\n".join(lines) + "\n", text=True, check=True,
                       env=os.environ | {"GIT_CEILING_DIRECTORIES": os.path.dirname(where)})

    def close(self):
        self.ask("kill $(jobs -p) 2>/dev/null; wait")
        self.shell.stdin.close()
        try:
            self.shell.wait(BOUND_S)
        finally:
            try:
                os.killpg(self.shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readme")
    parser.add_argument("--build", required=True)
    asked = parser.parse_args()
    with open(asked.readme, encoding="utf-8") as file:
        text = file.read()
    wrong = done = 0
    with tempfile.TemporaryDirectory(prefix="flexcore-readme-") as folder:
        user = reader(os.path.abspath(asked.build), folder)
        try:
            for language, lines in blocks(text):
                if language == "diff":
                    user.apply(lines)
                    continue
                for command, expected in steps(lines):
                    out = user.run(command)
                    done += 1
                    if expected and not matches(expected, out):
                        wrong += 1
                        print(f"$ {command}\n--- promised\n" + "\n".join(expected) + f"\n--- happened\n{out}")
        finally:
            user.close()
    print(f"{done} commands followed, {wrong} with other answers")
    sys.exit(1 if wrong or not done else 0)


if __name__ == "__main__":
    main()
