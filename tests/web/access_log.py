"""The log in JSON: every line is read by jq, and each request has its line, whatever stood in it."""
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import flexcore  # noqa: E402

FILTER = ('select(.msg == "request") | {method, path, status, request_id, tenant, trace_id, '
          'timed: (.duration_us >= 0), sized: (.bytes >= 0), at: (.ts | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T"))}')
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ASKED = [
    ("GET", "/livez", 200, {}),
    ("GET", "/%22quoted%22/%0a%22%5C?secret=1", 400, {}),
    ("GET", "/nothing/%E2%82%AC", 404, {}),
    ("GET", "/v1/streams?limit=1", 200, {"X-Tenant-Id": "shop"}),
    ("POST", "/v1/streams/l-1/events", 201, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}),
    ("DELETE", "/livez", 405, {}),
]


def main():
    client = flexcore.client(urllib.parse.urlsplit(os.environ["FLEXCORE_URL"]).port)
    for number, (method, target, status, headers) in enumerate(ASKED):
        body = {"events": [{"type": "t", "data": 1}]} if method == "POST" else None
        answer = client.ask(method, target, body, {"X-Request-Id": f'log-{number}-"\\<>', **headers})
        if answer.status != status:
            print(f"{method} {target} answers {answer.status}")
            return 1

    def lines():
        with open(os.path.join(os.environ["FLEXCORE_FOLDER"], "log-1"), "rb") as file:
            text = file.read()
        done = subprocess.run(["jq", "-c", FILTER], input=text[:text.rfind(b"\n") + 1], capture_output=True, check=False)
        if done.returncode != 0:
            raise flexcore.failure(f"jq cannot read the log: {done.stderr.decode()}")
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return [one for one in found if (one["request_id"] or "").startswith("log-")]

    try:
        flexcore.wait_until(lambda: len(lines()) == len(ASKED), "a line per request")
        for number, ((method, target, status, headers), line) in enumerate(zip(ASKED, lines())):
            expected = {"method": method, "path": target.split("?")[0], "status": status, "request_id": f'log-{number}-"\\<>',
                        "timed": True, "sized": True, "at": True}
            if "X-Tenant-Id" in headers:
                expected["tenant"] = headers["X-Tenant-Id"]
            if "traceparent" in headers:
                expected["trace_id"] = TRACE
            wrong = {name: line.get(name) for name, value in expected.items() if line.get(name) != value}
            if wrong:
                raise flexcore.failure(f"{method} {target} is logged with {wrong}")
    except flexcore.failure as error:
        print(error)
        return 1
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
