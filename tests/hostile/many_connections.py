#!/usr/bin/env python3
"""5,000 idle and 2,000 slow connections: good clients are still served, slow ones are told and cut.

usage: many_connections.py [--build DIR] [--idle 5000] [--slow 2000] [--seconds 3]
"""
import sys
import time

import conditions
import flexcore
from conditions import demand

HEADER_TIMEOUT_MS = 4000


def asks(number, turn):
    if turn % 4 == 0:
        return "POST", f"/v1/streams/good-{number}/events", {"events": [{"type": "a", "data": turn}]}, (201,)
    return "GET", f"/v1/streams/good-{number}/events?limit=5", None, (200, 404)


def measure(server, seconds):
    good = conditions.good_clients(server.port, asks)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)  # polling interval: how long is measured
    return good.stop()


def main():
    options = conditions.options(idle=(int, 5000, "connections that never send"), slow=(int, 2000, "that send a head byte by byte"),
                                 seconds=(float, 3.0, "of each measurement"))
    room = conditions.descriptors_allowed(options.idle + options.slow)
    slow = min(options.slow, room)
    idle = min(options.idle, room - slow)
    if (idle, slow) != (options.idle, options.slow):
        print(f"only {room} descriptors are allowed here: {idle} idle, {slow} slow")

    def body(server):
        alone = measure(server, options.seconds)
        quiet = conditions.crowd(server.port, idle)
        # Longer than the header timeout at one byte each 50 ms.
        dripping = conditions.crowd(server.port, slow, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 4000)
        demand(quiet.alive() == idle, f"{idle - quiet.alive()} idle connections were closed at once")
        crowded = measure(server, options.seconds)
        print(f"{idle} idle and {slow} slow connections, {conditions.mib(conditions.rss_bytes(server))}, "
              f"{conditions.descriptors(server)} descriptors\n"
              f"good clients alone:   {alone[0]} requests, p50 {alone[1]:.2f} ms, p99 {alone[2]:.2f} ms\n"
              f"good clients crowded: {crowded[0]} requests, p50 {crowded[1]:.2f} ms, p99 {crowded[2]:.2f} ms "
              f"({crowded[2] / alone[2]:.1f} times)", flush=True)
        flexcore.wait_until(lambda: dripping.alive() == 0, "the slow connections to be cut")
        said = [text for text in dripping.answers if not text.startswith(b"HTTP/1.1 408")]
        demand(len(dripping.answers) == slow and not said, f"slow connections were told {len(dripping.answers)} times, {said[:2]}")
        demand(quiet.alive() == idle, f"{idle - quiet.alive()} idle connections were closed before their time")
        demand(server.client().ask("GET", "/readyz").status == 200, "the server is not ready any more")
        quiet.close()
        dripping.close()
        flexcore.wait_until(lambda: conditions.descriptors(server) < 200, "the descriptors of closed connections to be given back")
        demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        server.start()

    return conditions.run(flexcore.server(options.build, settings={
        "http.header_timeout_ms": HEADER_TIMEOUT_MS, "http.access_log": "false"}), body)


if __name__ == "__main__":
    sys.exit(main())
