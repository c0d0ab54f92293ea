#!/usr/bin/env python3
"""Subscribers that never read: writers and other subscribers do not notice, memory stays bounded, they are cut.

usage: silent_subscribers.py [--build DIR] [--silent 200] [--mib 24]
"""
import sys
import threading

import conditions
import flexcore
from conditions import demand
from streams import event_stream

EVENT_BYTES = 4096
WRITE_TIMEOUT_MS = 2000
# What the server keeps for one subscriber: 256 KiB unsent, one page from the log, its buffers.
SUBSCRIBER_BYTES_MAX = 1 << 20
# Everything that does not grow with them: code, caches, the ring, the queue.
SERVER_BYTES_MAX = 256 << 20


class reader(threading.Thread):
    """Reads everything; the positions it saw."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.stream = event_stream(port, "/v1/events/stream?after=0", {})
        self.count, self.positions = count, []
        self.error = None

    def run(self):
        try:
            while len(self.positions) < self.count:
                frame = self.stream.next({"data": 0})
                if frame.get("event") == "a":
                    self.positions.append(int(frame["id"]))
        except (flexcore.failure, OSError, KeyError, ValueError) as error:
            self.error = error


def main():
    options = conditions.options(silent=(int, 200, "subscribers that never read"), mib=(int, 24, "MiB of events"))
    batch = 50
    batches = options.mib * (1 << 20) // (batch * EVENT_BYTES)

    def body(server):
        reading = reader(server.port, batches * batch)
        reading.start()
        request = b"GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: x\r\n\r\n"
        silent = [conditions.connect(server.port, 4096) for _ in range(options.silent)]
        for one in silent:
            one.sendall(request)
        writer = server.client()
        text = "x" * (EVENT_BYTES - 100)
        for number in range(batches):
            answer = writer.ask("POST", "/v1/streams/many/events", {"events": [{"type": "a", "data": text}] * batch})
            demand(answer.status == 201, f"append {number}: {answer.status} {answer.body[:200]!r}")
        reading.join(flexcore.SOON_S)
        demand(reading.error is None and reading.positions == list(range(1, batches * batch + 1)),
               f"the subscriber who reads has {len(reading.positions)} of {batches * batch} events: {reading.error}")
        peak = conditions.peak_bytes(server)
        bound = SERVER_BYTES_MAX + options.silent * SUBSCRIBER_BYTES_MAX
        print(f"{options.silent} silent subscribers, {batches * batch} events: peak {conditions.mib(peak)}, "
              f"bound {conditions.mib(bound)}", flush=True)
        demand(peak <= bound, f"peak memory {conditions.mib(peak)} is beyond {conditions.mib(bound)}")
        flexcore.wait_until(lambda: conditions.descriptors(server) < options.silent, "the silent subscribers to be cut")
        for one in silent:
            one.close()

    return conditions.run(flexcore.server(options.build, settings={"http.write_timeout_ms": WRITE_TIMEOUT_MS}), body)


if __name__ == "__main__":
    sys.exit(main())
