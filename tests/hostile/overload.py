#!/usr/bin/env python3
"""Five times more than the server takes: refusals are 503 with Retry-After, /livez answers, nothing acknowledged is lost,
nothing refused is written, and the log does not speak of each.

usage: overload.py [--build DIR] [--seconds 4] [--connections 64]
"""
import json
import socket
import sys
import threading
import time
import uuid

import conditions
import flexcore
from conditions import demand
from streams import raw_connection

QUEUE_EVENTS_MAX = 40  # what fits at once; all connections together offer five times as much and more


class pusher(threading.Thread):
    """Appends again and again without waiting for room; remembers what it was told of each event."""

    def __init__(self, port, stopping):
        super().__init__(daemon=True)
        self.port, self.stopping = port, stopping
        self.told, self.wrong = {}, []

    def run(self):
        connection = raw_connection(self.port)
        try:
            while not self.stopping.is_set():
                ids = [str(uuid.uuid4()) for _ in range(10)]
                body = json.dumps({"events": [{"id": one, "type": "a", "data": 1} for one in ids]}).encode()
                connection.send(b"POST /v1/streams/s-%d/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                b"Content-Length: %d\r\n\r\n" % (id(self) % 50, len(body)) + body)
                answer = connection.reply()
                for one in ids:
                    self.told[one] = answer.status
                if answer.status == 503:
                    code = json.loads(answer.body)["code"]
                    if code != "busy" or not (answer.header("retry-after") or "").isdigit():
                        self.wrong.append(f"503 {code}, Retry-After: {answer.header('retry-after')}")
                elif answer.status != 201:
                    self.wrong.append(f"{answer.status} {answer.body[:200]!r}")
        except (flexcore.failure, OSError, socket.error) as error:
            self.wrong.append(repr(error))
        finally:
            connection.close()


def main():
    options = conditions.options(seconds=(float, 4.0, "of overload"), connections=(int, 64, "that push"))

    def body(server):
        stopping, began_at = threading.Event(), time.monotonic()
        pushers = [pusher(server.port, stopping) for _ in range(options.connections)]
        for one in pushers:
            one.start()
        probes, longest = 0, 0.0
        probe = server.client()
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            began = time.monotonic()
            demand(probe.ask("GET", "/livez").status == 200, "/livez does not answer 200 under overload")
            longest = max(longest, time.monotonic() - began)
            probes += 1
            time.sleep(0.02)  # polling interval of the probe
        stopping.set()
        for one in pushers:
            one.join()
        wrong = [text for one in pushers for text in one.wrong]
        demand(not wrong, f"{len(wrong)} unexpected answers: {wrong[:3]}")
        told = {id_: status for one in pushers for id_, status in one.told.items()}
        taken = {id_ for id_, status in told.items() if status == 201}
        refused = set(told) - taken
        demand(refused, "nothing was refused: this was no overload")
        demand(taken, "nothing was taken under overload")
        events = flexcore.whole_log(server.client())
        conditions.checks.log_is_sound(events)
        demand({event["id"] for event in events} == taken, "the log is not what was acknowledged")
        with open(server.log_file, encoding="utf-8") as log:
            said = [line for line in log if "request failed" in line]
        demand(said and len(said) <= time.monotonic() - began_at + 1, f"{len(refused)} refusals have {len(said)} lines in the log")
        print(f"{len(taken)} events taken, {len(refused)} refused with 503; {probes} times /livez, the slowest {longest * 1e3:.0f} ms")

    return conditions.run(flexcore.server(options.build, settings={
        "store.queue_events_max": QUEUE_EVENTS_MAX, "store.batch_events_max": 10, "http.access_log": "false"}), body)


if __name__ == "__main__":
    sys.exit(main())
