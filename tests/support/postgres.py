"""A real PostgreSQL 15 as a process, in a folder of its own and on a free loopback port, for tests written in Python.

    with postgres(build) as one:                     # the database "flexcore", its owner the role "flexcore"
        one.url()                                    # postgresql://flexcore@127.0.0.1:PORT/flexcore
        one.psql("SELECT 1")                         # as the superuser, over the socket in the folder
        one.stop(); one.start()                      # the same port and data
        one.kill(); one.start()                      # as after a crash
        with one.standby("second", synchronous=True) as second:
            one.kill()
            second.promote()

Lifetime: `close` (or leaving the `with` block) ends the server and removes its folder. It also ends with the thread that
          started it: start it on one that stays.
User:     PostgreSQL refuses to run as root: then it runs as the user "postgres".
Port:     chosen once, by `free_port`: it is the same after each start.
"""
import ctypes
import fcntl
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import tempfile

from flexcore import SOON_S, failure, free_port, wait_until

PROGRAMS = "/usr/lib/postgresql/15/bin"
DATABASE = OWNER = "flexcore"
_STARTS_MAX = 20  # each on another port, when the one chosen is taken
_PR_SET_PDEATHSIG = 1
_IPC_RMID = 0
_libc = ctypes.CDLL(None)


def program(name):
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        raise failure(f"there is no {path}: tools/setup --test installs it")
    return path


def quit_with_parent():
    """To be called in a new process, once it has its user."""
    # An immediate shutdown: unlike a kill it takes the server's children and its shared memory along.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def as_who():
    """What subprocess needs to leave root behind, and the owner of the files."""
    if os.getuid() != 0:
        return {}, os.getuid(), os.getgid()
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise failure('PostgreSQL refuses to run as root, and there is no user "postgres"') from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}, user.pw_uid, user.pw_gid


def _run(words, **how):
    done = subprocess.run(words, stdin=None if "input" in how else subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, **how)
    if done.returncode != 0:
        raise failure(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stdout


def make_data(folder):
    """A data folder with the role and the database, for the user who will run it."""
    who, uid, gid = as_who()
    parent = tempfile.mkdtemp(prefix="flexcore-initdb-")
    try:
        os.chown(parent, uid, gid)
        made = os.path.join(parent, "data")
        _run([program("initdb"), "-D", made, "-U", "postgres", "--encoding=UTF8", "--locale=C", "--auth=trust",
              "--no-sync"], cwd="/", **who)
        _run([program("postgres"), "--single", "-F", "-j", "-D", made, "postgres"], cwd="/", **who,
             input=f"CREATE ROLE {OWNER} LOGIN;\n\nCREATE DATABASE {DATABASE} OWNER {OWNER};\n\n")
        shutil.move(made, folder)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def _template(build):
    """A data folder to copy from, made once per build folder and PostgreSQL version."""
    version = re.search(r"\d+\.\d+", _run([program("postgres"), "--version"])).group()
    folder = os.path.join(build, "tests", f"postgres-{version}-template")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            making = folder + ".making"
            shutil.rmtree(making, ignore_errors=True)
            make_data(making)
            os.rename(making, folder)
    return folder


def _children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            state = _state(int(name))
            if state is not None and state[1] == pid:
                found.append(int(name))
    return found


def _state(pid):
    """(state's letter, parent) of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[1])


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _gone(pid):
    state = _state(pid)
    return state is None or state[0] in "ZX"


class _lock:
    def __init__(self, one, table):
        self.process = subprocess.Popen([program("psql"), "-XAtq", "-h", one.folder, "-p", str(one.port), "-U", "postgres", "-d", DATABASE],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "held":
            raise failure(f"{table} could not be locked")

    def close(self):
        if self.process.poll() is None:
            self.process.communicate("COMMIT;\n")


class postgres:
    """build: a build folder, whose template of a data folder is copied; without one, a new data folder is made, which takes a
    second and has a system identifier of its own. fsync: for tests where the machine's own crash matters. settings: of
    postgresql.conf. password: the role "flexcore" needs it over TCP. data: a data folder that is there already."""

    def __init__(self, build=None, fsync=False, settings=None, password=None, data=None):
        self.who, self.uid, self.gid = as_who()
        self.folder = tempfile.mkdtemp(prefix="flexcore-pg-")
        os.chown(self.folder, self.uid, self.gid)
        self.data = os.path.join(self.folder, "data")
        self.fsync, self.settings, self.password = fsync, dict(settings or {}), password
        self.process = None
        self.frozen = False
        self.port = 0
        self.starts = 0
        if data is not None:
            shutil.move(data, self.data)
        elif build is None:
            make_data(self.data)
        else:
            _run(["cp", "-a", _template(os.path.abspath(build)) + "/.", self.data])
        if self.who:  # a move to another file system gives the files to root
            _run(["chown", "-R", f"{self.uid}:{self.gid}", self.data])
        self.place("pg_hba.conf", self._access())

    def _access(self):
        tcp = "scram-sha-256" if self.password else "trust"
        return (f"local all,replication all trust\nhost all {OWNER} 127.0.0.1/32 {tcp}\n"
                f"host all,replication all 127.0.0.1/32 trust\n")

    def __enter__(self):
        try:
            if not self.running():
                self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error):
        self.close()

    def place(self, name, text):
        """A file in the data folder that only the server may read: a certificate, its key."""
        path = os.path.join(self.data, name)
        with open(path, "w", encoding="utf-8") as file:
            os.chmod(path, 0o600)
            os.chown(path, self.uid, self.gid)
            file.write(text)
        return path

    # Starting and ending.

    def start(self, bound_s=SOON_S):
        """Until it accepts connections; a standby, until it can be read."""
        first = self.port == 0
        for _ in range(_STARTS_MAX):
            if first:
                self.port = free_port()
            if self._start(bound_s):
                break
            if not first:
                raise failure(f"the port {self.port} is taken\n{self.log()}")
        else:
            raise failure(f"no free port\n{self.log()}")
        if self.password and first and not self.is_standby():
            self.psql(f"ALTER ROLE {OWNER} PASSWORD '{self.password}'")

    def _start(self, bound_s):
        """False when the port is taken."""
        self._configure()
        self.frozen = False
        self.starts += 1
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([program("postgres"), "-D", self.data], cwd="/", stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=quit_with_parent, **self.who)
        wait_until(lambda: self._ready() or self.process.poll() is not None, "PostgreSQL's start", bound_s)
        if self.process.poll() is None:
            return True
        if "could not create any TCP/IP sockets" in self.log():
            return False
        raise failure(f"PostgreSQL did not start (exit {self.process.returncode})\n{self.log()}")

    def _configure(self):
        on = "on" if self.fsync else "off"
        values = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                  "fsync": on, "full_page_writes": on, "max_connections": 100, "shared_buffers": "64MB",
                  # In the data folder, so that nothing stays in /dev/shm after a kill.
                  "dynamic_shared_memory_type": "mmap",
                  "wal_level": "replica", "wal_keep_size": "256MB", "max_wal_senders": 5, "hot_standby": "on",
                  "logging_collector": "off", "log_line_prefix": "%m [%p] %a ", **self.settings}
        self.place("postgresql.conf", "".join(f"{name} = '{value}'\n" for name, value in values.items()))

    def _pid_file(self):
        """Its lines: the process, …, the shared memory, the state; none when the server does not run."""
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="utf-8") as file:
                return file.read().split("\n")
        except OSError:
            return []

    def _ready(self):
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, mode="fast", bound_s=SOON_S):
        """mode: "smart" waits for clients, "fast" cuts them, "immediate" leaves the rest to recovery. The exit code."""
        self.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode])
        try:
            return self.process.wait(bound_s)
        except subprocess.TimeoutExpired:
            raise failure(f"PostgreSQL still runs {bound_s:.0f} s after a {mode} stop\n{self.log()}") from None

    def kill(self):
        """SIGKILL to the server and all its children at once; returns when none is left."""
        children = self.freeze()
        for pid in [self.process.pid, *children]:
            _signal(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: all(_gone(pid) for pid in children), "the end of PostgreSQL's children")

    def freeze(self):
        """The server and all its children stand still: connections stay, nothing is answered. The children."""
        self.frozen = True
        # Stopped first, it starts no more of them.
        _signal(self.process.pid, signal.SIGSTOP)
        wait_until(lambda: (_state(self.process.pid) or "Z")[0] in "TtZX", "the server to stand still")
        children = _children(self.process.pid)
        for pid in children:
            _signal(pid, signal.SIGSTOP)
        return children

    def close(self):
        if self.running():
            if self.frozen:
                self.kill()
            else:
                self.stop("immediate")
        self._free_shared_memory()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _free_shared_memory(self):
        """A killed server leaves a page of it, which only its next start would free."""
        lines = self._pid_file()
        if len(lines) > 6 and len(lines[6].split()) == 2:
            _libc.shmctl(int(lines[6].split()[1]), _IPC_RMID, None)

    # Asking.

    def url(self, database=DATABASE, user=OWNER, port=None):
        secret = f":{self.password}" if self.password and user == OWNER else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{port or self.port}/{database}"

    def psql(self, sql, database=DATABASE, user="postgres"):
        """What the statements answer: a line per row, columns parted by "|"."""
        return _run([program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", user,
                     "-d", database, "-f", "-"], input=sql).rstrip("\n")

    def locked(self, table):
        """Nobody else reads or writes the table until `close` of what this gives."""
        return _lock(self, table)

    def drop_schema(self, name):
        """Fails rather than waits when somebody still uses it."""
        self.psql(f"SET client_min_messages = warning; SET lock_timeout = '20s'; DROP SCHEMA IF EXISTS \"{name}\" CASCADE")

    @property
    def log_file(self):
        return os.path.join(self.folder, f"log-{self.starts}")

    def log(self, bytes_max=8000):
        """What it has written since the last start."""
        with open(self.log_file, "rb") as file:
            return file.read()[-bytes_max:].decode("utf-8", "replace")

    # Two of them.

    def basebackup(self, to):
        """A copy of the running server as a data folder; `to` must not exist."""
        at = os.path.join(self.folder, f"copy-{random.getrandbits(64):x}")
        _run([program("pg_basebackup"), "-D", at, "-h", self.folder, "-p", str(self.port), "-U", "postgres", "--checkpoint=fast",
              "--wal-method=stream", "--no-sync"], cwd="/", **self.who)
        shutil.move(at, to)

    def standby(self, name, synchronous=False, **more):
        """A started copy that follows this server. synchronous: from now on no commit here returns before it is there too;
        this server waits for as long as no such standby runs. more: of `postgres`."""
        data = os.path.join(tempfile.gettempdir(), f"flexcore-pg-{name}-{random.getrandbits(64):x}")
        self.basebackup(data)
        settings = {**self.settings, **more.pop("settings", {})}
        settings.pop("synchronous_standby_names", None)
        second = postgres(data=data, **{"fsync": self.fsync, "password": self.password, "settings": settings, **more})
        try:
            second.follow(self, name)
            second.start()
            if synchronous:
                self.synchronous(name)
        except BaseException:
            second.close()
            raise
        return second

    def follow(self, primary, name):
        """Makes this server, while it is down, a standby of another at its next start."""
        self.settings["primary_conninfo"] = (f"host=127.0.0.1 port={primary.port} user=postgres application_name={name} "
                                             "connect_timeout=5")
        self.place("standby.signal", "")

    def synchronous(self, name):
        """Commits here wait for the standby of that name, "" for none; returns when it keeps up."""
        self.settings["synchronous_standby_names"] = name
        self._configure()
        self.process.send_signal(signal.SIGHUP)
        if name:
            wait_until(lambda: self.psql(f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{name}'")
                       == "sync", f"{name} to be a synchronous standby")
        else:
            wait_until(lambda: self.psql("SHOW synchronous_standby_names") == "", "the setting to hold")

    def is_standby(self):
        return self.psql("SELECT pg_is_in_recovery()") == "t"

    def promote(self, bound_s=SOON_S):
        """A standby becomes a primary; returns when it takes writes."""
        if self.psql(f"SELECT pg_promote(true, {bound_s:.0f})") != "t":
            raise failure(f"not promoted within {bound_s:.0f} s\n{self.log()}")
        self.settings.pop("primary_conninfo", None)


def url_of_several(servers, database=DATABASE, user=OWNER):
    """One URL for all of them: whichever takes writes."""
    hosts = ",".join(f"127.0.0.1:{one if isinstance(one, int) else one.port}" for one in servers)
    return f"postgresql://{user}@{hosts}/{database}?target_session_attrs=read-write"
