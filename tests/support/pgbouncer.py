"""A real pgbouncer in front of a PostgreSQL of `postgres.py`, for tests written in Python.

    with postgres(build) as one, pgbouncer(one.port, mode="transaction") as between:
        between.url()
        between.console("RECONNECT")                 # its admin console

Lifetime: as of `postgres`; `close` ends it and removes its folder.
User:     it refuses to run as root, too.
"""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from flexcore import SOON_S, failure, free_port, wait_until
from postgres import DATABASE, OWNER, as_who, program, quit_with_parent

PROGRAM = "/usr/sbin/pgbouncer"
_STARTS_MAX = 20  # each on another port, when the one chosen is taken


class pgbouncer:
    """mode: "session", "transaction" or "statement"; settings: of the section [pgbouncer]."""

    def __init__(self, target_port, mode="session", settings=None):
        if not os.path.exists(PROGRAM):
            raise failure(f"there is no {PROGRAM}: tools/setup --test installs it")
        self.who, self.uid, self.gid = as_who()
        self.folder = tempfile.mkdtemp(prefix="flexcore-pgbouncer-")
        self.target_port, self.mode, self.settings = target_port, mode, dict(settings or {})
        self.port = 0
        self.process = None
        self._place("users", f'"{OWNER}" ""\n')
        os.chown(self.folder, self.uid, self.gid)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error):
        self.close()

    def _place(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chown(path, self.uid, self.gid)
        return path

    def start(self, bound_s=SOON_S):
        """Until it takes connections; the port stays the same."""
        first = self.port == 0
        for _ in range(_STARTS_MAX):
            if first:
                self.port = free_port()
            if self._start(bound_s):
                return
            if not first:
                break
        raise failure(f"pgbouncer did not start\n{self.log()}")

    def _start(self, bound_s):
        values = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "trust",
                  "auth_file": os.path.join(self.folder, "users"), "admin_users": OWNER, "pool_mode": self.mode,
                  "max_client_conn": 200, "default_pool_size": 50, **self.settings}
        file = self._place("pgbouncer.ini", f"[databases]\n{DATABASE} = host=127.0.0.1 port={self.target_port} dbname={DATABASE}\n"
                           "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([PROGRAM, file], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=quit_with_parent, **self.who)
        wait_until(lambda: self.process.poll() is not None or self._listens(), "pgbouncer's start", bound_s)
        return self.process.poll() is None

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self, bound_s=SOON_S):
        """At once, clients are cut."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(bound_s)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def console(self, command):
        """What the admin console answers: a line per row, columns parted by "|"."""
        done = subprocess.run([program("psql"), "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER, "-d", "pgbouncer",
                               "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise failure(f"pgbouncer: {command}: {done.stderr}{done.stdout}")
        return done.stdout.rstrip("\n")

    def url(self, database=DATABASE, user=OWNER):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    @property
    def log_file(self):
        return os.path.join(self.folder, "log")

    def log(self, bytes_max=8000):
        with open(self.log_file, "rb") as file:
            return file.read()[-bytes_max:].decode("utf-8", "replace")
