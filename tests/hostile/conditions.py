"""What the tests of hostile conditions share: the server as a process, crowds of connections, good clients."""
import argparse
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, folder) for folder in ("support", "scenarios", "faults")]
import checks  # noqa: E402
import flexcore  # noqa: E402
from checks import demand  # noqa: E402, F401

SPARE_DESCRIPTORS = 200  # beside those of the sockets
PAGE = os.sysconf("SC_PAGE_SIZE")


def options(**more):
    """--build and whatever a test adds: name=(type, default, help)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(os.path.dirname(TESTS), "build", "release"))
    for name, (kind, default, text) in more.items():
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=default, help=text)
    found = parser.parse_args()
    found.build = os.path.abspath(found.build)
    return found


def run(server, body):
    """Runs `body(server)` with the server up; the exit code. The log's end is shown when something does not hold."""
    with server:
        try:
            body(server)
            demand(server.running(), "the server has ended")
        except flexcore.failure as error:
            print(f"FAILED: {error}\n--- log of the server\n{server.log(3000)}")
            return 1
    return 0


def rss_bytes(server):
    with open(f"/proc/{pid_of(server)}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE


def peak_bytes(server):
    with open(f"/proc/{pid_of(server)}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def descriptors(server):
    return len(os.listdir(f"/proc/{pid_of(server)}/fd"))


def pid_of(server):
    """The server itself, also when a wrapper has started it (those used here exec)."""
    return server.process.pid


def mib(count):
    return f"{count / (1 << 20):.0f} MiB"


def raise_descriptors(sockets, flags):
    """Raises this process's limit, and so the server's, to what the test needs. What a test says it does it does, or it fails:
    with fewer sockets it would pass without having shown anything. `flags` are those that ask for fewer."""
    wanted = max(sockets + SPARE_DESCRIPTORS, 1024)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"FAILED: {sockets} connections need {wanted} descriptors, and the hard limit (ulimit -Hn) is {hard}: "
                         f"raise it, or ask for fewer connections by {flags}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connect(port, receive_bytes=None):
    one = socket.socket()
    if receive_bytes is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    one.settimeout(flexcore.SOON_S)
    one.connect(("127.0.0.1", port))
    return one


class crowd:
    """Sockets that say nothing; notices which ones the server has closed."""

    def __init__(self, port, count):
        self.sockets = {}
        self.poll = select.poll()
        for _ in range(count):
            one = connect(port)
            one.setblocking(False)
            self.sockets[one.fileno()] = one
            self.poll.register(one, select.POLLIN)

    def alive(self):
        for number, _ in self.poll.poll(0):
            self.poll.unregister(number)
            self.sockets.pop(number).close()
        return len(self.sockets)

    def close(self):
        for one in self.sockets.values():
            one.close()


class slow_clients:
    """slowhttptest: as many connections that send, or take, a few bytes each second; and one that probes the server."""

    def __init__(self, server, words, target, connections, seconds):
        self.statistics = os.path.join(server.folder, "slow")
        self.said = open(self.statistics + ".txt", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["slowhttptest", *words, "-c", str(connections), "-r", str(connections), "-i", "1", "-l", str(seconds),
             "-p", "3", "-g", "-o", self.statistics, "-u", f"http://127.0.0.1:{server.port}{target}"],
            stdout=self.said, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.said.close()

    def end(self):
        """Waits for its end: how many connections were open at most, whether all were cut, whether each probe was answered."""
        flexcore.wait_until(lambda: self.process.poll() is not None, "slowhttptest to end", 2 * flexcore.SOON_S)
        ended = self.process.returncode
        self.said.seek(0)
        said = self.said.read()
        demand(ended == 0, f"slowhttptest has failed: {said[-500:]}")
        with open(self.statistics + ".csv", encoding="ascii") as file:
            rows = [[int(cell) for cell in line.split(",")] for line in file.readlines()[1:]]
        return max(row[3] for row in rows), "No open connections left" in said, all(row[4] for row in rows)


class good_clients:
    """Threads that ask the usual things on connections of their own, and count what they are told."""

    def __init__(self, port, asks, threads=2):
        self.port, self.asks = port, asks
        self.took, self.wrong = [], []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self, number):
        one = flexcore.client(self.port)
        turn = 0
        while not self._stopping.is_set():
            method, target, body, statuses = self.asks(number, turn)
            turn += 1
            began = time.monotonic()
            try:
                answer = one.ask(method, target, body)
            except (OSError, ValueError, flexcore.failure) as error:
                self.wrong.append(f"{method} {target}: {error!r}")
                return
            self.took.append(time.monotonic() - began)
            if answer.status not in statuses:
                self.wrong.append(f"{method} {target}: {answer.status} {answer.body[:200]!r}")

    def stop(self):
        """The median and the 99th percentile in milliseconds, for a person to read."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        demand(not self.wrong, f"{len(self.wrong)} good requests went wrong: {self.wrong[:3]}")
        demand(self.took, "the good clients got no answer at all")
        took = sorted(self.took)
        return len(took), took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3
