"""/metrics under promtool, and scraped by a real Prometheus."""
import json
import os
import re
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import flexcore  # noqa: E402

URL = os.environ["FLEXCORE_URL"]
FOLDER = os.environ["FLEXCORE_FOLDER"]


def get(url):
    with urllib.request.urlopen(url, timeout=flexcore.SOON_S) as answer:
        return answer.read().decode()


def use_everything():
    """So that the series of all parts are there: requests of every kind and outcome."""
    client = flexcore.client(urllib.parse.urlsplit(URL).port)
    client.ask("POST", "/v1/streams/m-1/events", {"events": [{"type": "t", "data": 1}]})
    client.ask("POST", "/v1/commands", {"type": "counter.increment", "id": "m", "data": {"by": 2}})
    client.ask("POST", "/v1/commands", {"type": "no.such", "id": "m", "data": {}})
    client.ask("GET", "/v1/queries/counter.value?id=m&min_position=2")
    client.ask("GET", "/v1/read-models")
    client.ask("POST", "/v1/plugins/echo/execute", "x", {"Content-Type": "text/plain"})
    client.ask("GET", "/nothing")


def check_text():
    text = get(URL + "/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    if done.returncode != 0 or done.stdout.strip() or done.stderr.strip():
        raise flexcore.failure(f"promtool says (exit {done.returncode}):\n{done.stdout}{done.stderr}")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def scrape():
    config = os.path.join(FOLDER, "prometheus.yml")
    target = URL.removeprefix("http://")
    with open(config, "w", encoding="ascii") as file:
        file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                   f"scrape_configs: [{{job_name: flexcore, static_configs: [{{targets: ['{target}']}}]}}]\n")
    port = free_port()
    log = open(os.path.join(FOLDER, "prometheus.log"), "wb")
    process = subprocess.Popen(
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={FOLDER}/prometheus", f"--web.listen-address=127.0.0.1:{port}"],
        stdout=log, stderr=log, preexec_fn=flexcore._die_with_parent)
    try:
        def ask(query):
            url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
            try:
                return json.loads(get(url))["data"]["result"]
            except OSError:
                return []

        def value(query):
            found = ask(query)
            return float(found[0]["value"][1]) if found else None

        flexcore.wait_until(lambda: value('up{job="flexcore"}') == 1.0, "Prometheus to see the server up", 60)
        expected = flexcore.wait_until(
            lambda: value('sum(flexcore_http_requests_total{route="/v1/commands",status="2xx"})'), "the commands answered")
        if expected != 1.0:
            raise flexcore.failure(f"one command was accepted, Prometheus says {expected}")
        seconds = value('histogram_quantile(0.99, sum by (le) (flexcore_http_request_seconds_bucket))')
        if seconds is None or not 0 < seconds < 60:
            raise flexcore.failure(f"no quantile from the histogram: {seconds}")
        bad = [one for one in json.loads(get(f"http://127.0.0.1:{port}/api/v1/targets"))["data"]["activeTargets"] if one["lastError"]]
        if bad:
            raise flexcore.failure(f"the scrape failed: {bad[0]['lastError']}")
        names = {re.sub(r"_(bucket|sum|count)$", "", line.split("{")[0].split(" ")[0])
                 for line in get(URL + "/metrics").splitlines() if line and not line.startswith("#")}
        seen = {one["metric"]["__name__"] for one in ask('count by (__name__) ({job="flexcore"})')}
        missing = {name for name in names if name not in seen and name + "_count" not in seen}
        if missing:
            raise flexcore.failure(f"Prometheus has no {sorted(missing)}")
    finally:
        process.terminate()
        process.wait(flexcore.SOON_S)
        log.close()


def main():
    try:
        use_everything()
        check_text()
        scrape()
    except flexcore.failure as error:
        print(error)
        return 1
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
