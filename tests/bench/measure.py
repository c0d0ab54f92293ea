"""Running loads and baselines, alternately, and what /proc says of the server meanwhile."""
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile

import flexcore

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(os.path.dirname(os.path.dirname(HERE)), "migrations", "sqlite", "events", "0001_event_log.sql")
PAYLOAD = '{"customer":"17850","amount":1234,"note":"a payload of about a hundred bytes, as orders have them"}'


class bench:
    """What every row needs: where the programs are, how long to measure, how often."""

    def __init__(self, build, seconds, rounds, events):
        self.build, self.seconds, self.rounds, self.events = build, seconds, rounds, events

    def server(self, plugins=("counter",), settings=None):
        return flexcore.server(self.build, plugins, settings)

    def load(self, port, *words, connections=64, seconds=None, warmup=0.5, **options):
        """One run of the load generator; its figures."""
        command = [os.path.join(self.build, "tests", "load"), "--port", str(port), "--connections", str(connections),
                   "--seconds", str(seconds or self.seconds), "--warmup", str(warmup)]
        for name, value in options.items():
            command += ["--" + name, str(value)]
        return figures_of(subprocess.run([*command, *words], capture_output=True, text=True, check=False))

    def start_load(self, port, *words, connections=8, seconds=600, stdout=subprocess.DEVNULL, **options):
        """A load in the background; `terminate` it, or with a pipe as stdout take its figures when it has ended."""
        command = [os.path.join(self.build, "tests", "load"), "--port", str(port), "--connections", str(connections),
                   "--seconds", str(seconds)]
        for name, value in options.items():
            command += ["--" + name, str(value)]
        return subprocess.Popen([*command, *words], stdout=stdout, stderr=subprocess.DEVNULL, text=True)

    def wrk(self, port, path, threads, connections, headers=()):
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{self.seconds}s", "-s", os.path.join(HERE, "report.lua")]
        for header in headers:
            command += ["-H", header]
        done = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=False)
        found = re.search(r"^JSON (.*)$", done.stdout, re.M)
        if not found:
            raise flexcore.failure(f"wrk: {done.stdout}{done.stderr}")
        return json.loads(found.group(1))

    def c_loop(self, *words, seconds=None):
        """The plain SQLite loop, in a folder beside the server's."""
        folder = tempfile.mkdtemp(prefix="flexcore-")
        try:
            command = [os.path.join(self.build, "tests", "baseline_sqlite"), folder, SCHEMA, *map(str, words),
                       str(seconds or self.seconds)]
            return figures_of(subprocess.run(command, capture_output=True, text=True, check=False))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def alternately(self, ours, baseline=None):
        """(figures of ours, figures of the baseline or None): medians over the rounds, baseline and ours in turn."""
        our_runs, base_runs = [], []
        for _ in range(self.rounds):
            if baseline is not None:
                base_runs.append(baseline())
            our_runs.append(ours())
        return median(our_runs), median(base_runs) if base_runs else None


def median(runs):
    """The median of each figure; errors add up."""
    merged = {name: statistics.median(run[name] for run in runs)
              for name in runs[0] if all(isinstance(run.get(name), (int, float)) for run in runs)}
    merged["errors"] = sum(run.get("errors", 0) for run in runs)
    first = [run["first_error"] for run in runs if run.get("first_error")]
    if first:
        merged["first_error"] = first[0]
    return merged


def figures_of(done):
    if done.returncode != 0:
        raise flexcore.failure(f"{os.path.basename(done.args[0])}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class nginx:
    """Debian's nginx on a free port, answering every path with one body."""

    def __init__(self, body, status=200):
        self.status = status
        self.folder = tempfile.mkdtemp(prefix="flexcore-")
        with flexcore.socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        quoted = body.replace("\\", "\\\\").replace("'", "\\'").replace("$", "")
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"""daemon off; worker_processes 2; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  server {{ listen 127.0.0.1:{self.port} reuseport; location / {{ default_type application/json; return {status} '{quoted}'; }} }} }}
""")
        self.process = subprocess.Popen(["nginx", "-p", self.folder, "-c", config], stderr=subprocess.DEVNULL)
        flexcore.wait_until(self._answers, "nginx")

    def _answers(self):
        try:
            return flexcore.client(self.port).ask("GET", "/").status == self.status
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def anonymous_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"RssAnon:\s+(\d+)", file.read()).group(1)) / 1024


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def event_json(type_="bench.happened", data=PAYLOAD, id_=None, tags=None):
    parts = [f'"id":"{id_}"'] if id_ else []
    parts += [f'"type":"{type_}"', f'"data":{data}']
    if tags:
        parts.append(f'"tags":{json.dumps(tags)}')
    return "{" + ",".join(parts) + "}"


def bulk_line(stream, count=100, **event):
    return f'{{"stream":"{stream}","events":[' + ",".join(event_json(**event) for _ in range(count)) + "]}"
