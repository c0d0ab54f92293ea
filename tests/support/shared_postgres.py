#!/usr/bin/env python3
"""One PostgreSQL for all tests of a run; each test makes a schema of its own in it. Its URL stands in BUILD/tests/postgres.url.

usage: shared_postgres.py start [--build DIR]     starts it, unless it runs
       shared_postgres.py stop [--build DIR]      ends it, unless another run still uses it

ctest does both by itself, with --for-parent: the server then ends with ctest, too, however ctest ends.

A process of its own, the keeper, starts the server and ends it as soon as nobody uses it any more. Who uses it stands in
BUILD/tests/postgres/users, a file each, "hand" for one that was started by hand.
"""
import argparse
import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from flexcore import SOON_S, failure, wait_until  # noqa: E402
from postgres import postgres, program  # noqa: E402

BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "release")
LOOK_S = 0.1
# Tests beside each other, each with a pool or several, and the servers of scenarios.
SETTINGS = {"max_connections": 300, "shared_buffers": "128MB"}


class place:
    """The files of the shared server of one build folder."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.folder = os.path.join(self.build, "tests", "postgres")
        self.users = os.path.join(self.folder, "users")
        self.url = os.path.join(self.build, "tests", "postgres.url")
        self.server = os.path.join(self.folder, "server.json")
        self.log = os.path.join(self.folder, "keeper.log")
        os.makedirs(self.users, exist_ok=True)

    @contextlib.contextmanager
    def locked(self):
        """Who comes and who goes: one at a time."""
        with open(os.path.join(self.folder, "lock"), "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def keeping(self):
        """The keeper's mark that it lives, as an open file; None when there is another keeper."""
        file = open(os.path.join(self.folder, "keeper"), "w", encoding="ascii")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError:
            file.close()
            return None

    def kept(self):
        mine = self.keeping()
        if mine is None:
            return True
        mine.close()
        return False

    def used(self):
        """Whether anybody still uses the server; forgets who has ended."""
        found = False
        for name in os.listdir(self.users):
            path = os.path.join(self.users, name)
            with contextlib.suppress(FileNotFoundError):
                with open(path, encoding="ascii") as file:
                    begun = file.read()
                if name == "hand" or begun == _begun(int(name)):
                    found = True
                else:
                    os.remove(path)
        return found

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-8000:]


def _begun(pid):
    """When a process began, which tells it from a later one with its number; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]


def start(here, user):
    with here.locked():
        _note(here, os.path.join(here.users, user), _begun(int(user)) if user != "hand" else "")
        # A keeper whose server has ended by itself is about to end.
        wait_until(lambda: not here.kept() or os.path.exists(here.url), "the end of an earlier keeper")
        if not here.kept():
            _end_stale(here)
            with open(here.log, "wb") as log:
                keeper = subprocess.Popen([sys.executable, os.path.abspath(__file__), "keep", "--build", here.build], cwd="/",
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            wait_until(lambda: os.path.exists(here.url) or keeper.poll() is not None, "the tests' PostgreSQL")
            if not os.path.exists(here.url):
                raise failure(f"the tests' PostgreSQL did not start\n{here.log_text()}")
    print(shared_url(here.build))


def _note(here, path, text):
    """A file that is there whole or not at all."""
    new = os.path.join(here.folder, "new")
    with open(new, "w", encoding="ascii") as file:
        file.write(text)
    os.rename(new, path)


def stop(here, user):
    with here.locked():
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(here.users, user))
        if here.used():
            return
    # The keeper sees it; a run that begins meanwhile may have it go on, or start another.
    wait_until(lambda: not here.kept() or here.used(), "the end of the tests' PostgreSQL")


def keep(here):
    """Runs the server for as long as it is used."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    mark = here.keeping()
    if mark is None:
        raise failure("there is another keeper")
    with mark, postgres(here.build, settings=SETTINGS) as server:
        try:
            _note(here, here.server, json.dumps({"pid": server.process.pid, "data": server.data}))
            _note(here, here.url, server.url() + "\n")
            while True:
                if not server.running():
                    raise failure(f"PostgreSQL ended by itself\n{server.log()}")
                with here.locked():
                    if not here.used():
                        # Who comes next starts another.
                        os.remove(here.url)
                        server.close()
                        os.remove(here.server)
                        mark.close()
                        return
                time.sleep(LOOK_S)
        except BaseException:
            for path in (here.url, here.server):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
            raise


def _end_stale(here):
    """What a keeper has left that was killed: its server ends with it, its folder does not."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(here.url)
    try:
        with open(here.server, encoding="ascii") as file:
            left = json.load(file)
    except (OSError, ValueError):
        return
    data = left["data"].encode()

    def ours():
        try:
            with open(f"/proc/{left['pid']}/cmdline", "rb") as file:
                return data in file.read().split(b"\0")
        except OSError:
            return False
    if ours():
        os.kill(left["pid"], signal.SIGQUIT)
        wait_until(lambda: not ours(), "the end of an earlier run's PostgreSQL")
    folder = os.path.dirname(left["data"])
    if os.path.basename(folder).startswith("flexcore-pg-"):
        shutil.rmtree(folder, ignore_errors=True)
    os.remove(here.server)


# For the tests that use it.

def shared_url(build):
    try:
        with open(place(build).url, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        raise failure("no PostgreSQL runs for this test; ctest starts one, and so does\n"
                      f"  {os.path.abspath(__file__)} start --build {os.path.abspath(build)}") from None


class schema:
    """A schema's name that nobody else has, in the shared server. Whoever uses it makes it."""

    def __init__(self, build):
        self.url = shared_url(build)
        self.name = f"test_{os.getpid()}_{random.getrandbits(48):012x}"

    def drop(self):
        """Fails rather than waits when somebody still uses it."""
        sql = f"SET client_min_messages = warning; SET lock_timeout = '20s'; DROP SCHEMA IF EXISTS {self.name} CASCADE"
        done = subprocess.run([program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", self.url, "-c", sql],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise failure(f"the schema {self.name} is not dropped: {done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("do", choices=["start", "stop", "keep"])
    parser.add_argument("--build", default=BUILD)
    parser.add_argument("--for-parent", action="store_true", help="until the process that started this one ends, or stops it")
    options = parser.parse_args()
    here = place(options.build)
    try:
        if options.do == "keep":
            keep(here)
        else:
            {"start": start, "stop": stop}[options.do](here, str(os.getppid()) if options.for_parent else "hand")
    except failure as error:
        print(f"shared_postgres.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
