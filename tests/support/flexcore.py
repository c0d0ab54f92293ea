"""A flexcore server of this build as a process, and HTTP to it, for tests written in Python. The first answers of each operation
and status are held against its /openapi.json (openapi.py), whatever the test is about.

Lifetime: `close` (or leaving the `with` block) kills the process and removes its folder; the process also dies
          with this program.
Threads:  start and stop on one thread; `client` objects belong to one thread each.
"""
import ctypes
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import openapi

SOON_S = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class failure(Exception):
    """A promise that does not hold; the text is for a person."""


# What the servers of this process promise, which is the same for all of one build; the ports at which it is held, and what broke it.
_promised = None
_held_at = set()
_broken = []


def _hold(port):
    global _promised
    if _promised is None:
        one = client(port)
        answer = one.ask("GET", "/openapi.json")
        one.close()
        if answer.status != 200:
            raise failure(f"/openapi.json answers {answer.status}")
        _promised = openapi.checker(answer.json())
    _held_at.add(port)


def wait_until(condition, what, bound_s=SOON_S):
    """The first true value of `condition`; fails when it does not come within the bound."""
    end = time.monotonic() + bound_s
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise failure(f"waited {bound_s:.0f} s for: {what}")
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def free_port():
    """Outside the range that the kernel gives to clients: nobody takes it while its server is down for a moment."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def _schema(build):
    store = os.environ.get("FLEXCORE_TEST_STORE", "")
    if store not in ("", "postgres"):
        raise failure(f'FLEXCORE_TEST_STORE is "postgres" or empty, not "{store}"')
    if not store:
        return None
    from shared_postgres import schema  # it stands on this file
    return schema(build)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class server:
    """plugins: names of build/<preset>/plugins; settings: {"http.json_depth_max": 8}; wrapper: words before the program.
    FLEXCORE_TEST_STORE=postgres: its store is a schema of its own in the run's PostgreSQL (shared_postgres.py), unless the
    settings name a store."""

    def __init__(self, build, plugins=(), settings=None, data=None, args=(), wrapper=(), env=None):
        self.build = build
        self.plugins = list(plugins)
        self.settings = dict(settings or {})
        self.schema = _schema(build) if "store.url" not in self.settings else None
        if self.schema is not None:
            self.settings.update({"store.url": self.schema.url, "store.schema": self.schema.name})
        self.args, self.wrapper, self.env = list(args), list(wrapper), dict(env or {})
        self.folder = tempfile.mkdtemp(prefix="flexcore-")
        self.data = data or os.path.join(self.folder, "data")
        self.process = None
        self.port = 0
        self.starts = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_error):
        self.close()
        if kind is None and _broken:  # on a thread that nobody asked how it ended, perhaps
            raise failure(_broken[0])

    def start(self, bound_s=SOON_S):
        port_file = os.path.join(self.folder, "port")
        if os.path.exists(port_file):
            os.remove(port_file)
        self.starts += 1
        words = [*self.wrapper, os.path.join(self.build, "flexcore"), "serve", "--listen", "127.0.0.1:0",
                 "--data", self.data, "--port-file", port_file]
        for plugin in self.plugins:
            words += ["--plugin", os.path.join(self.build, "plugins", plugin + ".so")]
        words += self.args
        env = {k: v for k, v in os.environ.items() if not k.startswith("FLEXCORE_") and k != "DATABASE_URL"}
        env.update(self.env)
        for name, value in self.settings.items():
            env["FLEXCORE_" + name.upper().replace(".", "_")] = str(value)
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=_die_with_parent)
        begun = time.monotonic()
        wait_until(lambda: os.path.exists(port_file) or self.process.poll() is not None, "the server's start", bound_s)
        if self.process.poll() is not None:
            raise failure(f"the server did not start (exit {self.process.returncode})\n{self.log()}")
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())
        took = time.monotonic() - begun
        _hold(self.port)
        return took

    @property
    def log_file(self):
        return os.path.join(self.folder, f"log-{self.starts}")

    def log(self, bytes_max=8000):
        with open(self.log_file, "rb") as file:
            return file.read()[-bytes_max:].decode("utf-8", "replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, bound_s=60):
        """SIGTERM; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(bound_s)
        except subprocess.TimeoutExpired:
            raise failure(f"the server still runs {bound_s} s after SIGTERM\n{self.log()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.running():
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.schema is not None:
            self.schema.drop()

    def client(self, bound_s=SOON_S):
        return client(self.port, bound_s)


class reply:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = [(name.lower(), value) for name, value in headers]

    def header(self, name):
        """The value, several joined by a comma; None when absent."""
        values = [v for n, v in self.headers if n == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)


class client:
    """One keep-alive connection; reconnects when the server has closed it between two requests."""

    def __init__(self, port, bound_s=SOON_S):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=bound_s)

    def ask(self, method, target, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None:
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
            if isinstance(body, str):
                body = body.encode()
            names = {n.lower() for n in headers}
            if "content-type" not in names:
                headers["Content-Type"] = "application/json"
            headers = {n: v for n, v in headers.items() if v is not None}
        if self.connection.sock is not None and _closed_by_peer(self.connection.sock):
            self.connection.close()
        self.connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name, value)
        if body is not None:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders(body)
        answer = self.connection.getresponse()
        answer = reply(answer.status, answer.getheaders(), answer.read())
        wrong = _promised.problem_of_first(method, target, answer) if self.port in _held_at else None
        if wrong:
            _broken.append(wrong)
            raise failure(wrong)
        return answer

    def close(self):
        self.connection.close()


def _closed_by_peer(sock):
    readable = select.poll()  # select knows no descriptor beyond 1,023
    readable.register(sock, select.POLLIN)
    try:
        return bool(readable.poll(0)) and sock.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def whole_log(one, after=0, limit=1000):
    """All events after a position, through GET /v1/events, page by page."""
    events, cursor = [], str(after)
    while cursor is not None:
        answer = one.ask("GET", f"/v1/events?after={cursor}&limit={limit}")
        if answer.status != 200:
            raise failure(f"GET /v1/events answered {answer.status}: {answer.body[:300]!r}")
        page = answer.json()
        events += page["items"]
        cursor = page["next"]
    return events


def head(one):
    """The position of the default tenant's last event; 0 when it has none."""
    before = ""
    while True:
        answer = one.ask("GET", f"/v1/events?direction=backward&limit=1{before}")
        if answer.status != 200:
            raise failure(f"GET /v1/events answered {answer.status}: {answer.body[:300]!r}")
        page = answer.json()
        if page["items"]:
            return page["items"][0]["position"]
        if page["next"] is None:
            return 0
        before = f"&after={page['next']}"  # many hidden events at the end: an empty page that goes on
