#!/usr/bin/env python3
"""5,000 idle and 2,000 slow connections: good clients are still served, slow ones are cut.

usage: many_connections.py [--build DIR] [--idle 5000] [--slow 2000] [--seconds 3] [--rounds 1]
"""
import sys
import time

import conditions
import flexcore
from conditions import demand

HEADER_TIMEOUT_S = 8
BODY_TIMEOUT_S = 5
WRITE_TIMEOUT_S = 5
BIG_EVENTS, BIG_BYTES = 400, 4000

MEMORY_MAX = 512 << 20

# How they are slow; what slowhttptest is told; for how long at most beside what is measured.
SLOW = (
    ("heads", ["-H"], "/v1/version", 27),
    ("bodies", ["-B", "-t", "POST", "-f", "application/json", "-s", "65536"], "/v1/append", 27),
    ("reads", ["-X", "-w", "10", "-y", "20", "-z", "32"], "/v1/streams/big/events?limit=1000", 12),
)


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


def say(what, seen, alone=None):
    beside = f" ({seen[2] / alone[2]:.1f} times)" if alone else ""
    print(f"{what:>34}: {seen[0]} requests, p50 {seen[1]:.2f} ms, p99 {seen[2]:.2f} ms{beside}", flush=True)


def metric(server, name):
    lines = server.client().ask("GET", "/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name + " ")).split()[1])


def beside_slow_ones(server, idle, slow, seconds, how):
    name, words, target, lasting = how
    flexcore.wait_until(lambda: conditions.descriptors(server) < idle + 100, "the connections of before to be closed")
    cut_before = metric(server, "flexcore_http_timeouts_total")
    wanted = conditions.descriptors(server) + slow * 9 // 10
    with conditions.slow_clients(server, words, target, slow, int(seconds) + lasting) as slow_ones:
        flexcore.wait_until(lambda: conditions.descriptors(server) >= wanted, f"{slow} connections with slow {name}")
        seen = measure(server, seconds)
        if name == "reads":
            # Who reads so slowly would see that he was cut only when all that lies in the kernel is read.
            flexcore.wait_until(lambda: metric(server, "flexcore_http_held_bytes") < 1 << 20, "what slow readers left lying to be let go")
        most, all_cut, available = slow_ones.end()
    cut = metric(server, "flexcore_http_timeouts_total") - cut_before
    demand(most == slow, f"only {most} connections with slow {name} came about")
    demand(name == "reads" or (all_cut and cut == slow), f"{cut:.0f} of {slow} connections with slow {name} were cut for it")
    demand(available, f"a probe beside slow {name} was not answered within 3 s")
    return seen


def main():
    options = conditions.options(idle=(int, 5000, "connections that never send"), slow=(int, 2000, "that are slow"),
                                 seconds=(float, 3.0, "of each measurement"), rounds=(int, 1, "of all of them"))
    idle, slow = options.idle, options.slow
    conditions.raise_descriptors(idle + slow, "--idle and --slow")

    def body(server):
        big = {"events": [{"type": "a", "data": "x" * BIG_BYTES}] * BIG_EVENTS}
        demand(server.client().ask("POST", "/v1/streams/big/events", big).status == 201, "the long answer's events are not taken")
        for _ in range(options.rounds):
            alone = measure(server, options.seconds)
            say("good clients alone", alone)
            quiet = conditions.crowd(server.port, idle)
            for how in SLOW:
                seen = beside_slow_ones(server, idle, slow, options.seconds, how)
                say(f"beside {idle} idle, {slow} slow {how[0]}", seen, alone)
            demand(quiet.alive() == idle, f"{idle - quiet.alive()} idle connections were closed before their time")
            peak = conditions.peak_bytes(server)
            print(f"peak memory {conditions.mib(peak)}", flush=True)
            demand(peak <= MEMORY_MAX, f"peak memory is beyond {conditions.mib(MEMORY_MAX)}")
            quiet.close()
            flexcore.wait_until(lambda: conditions.descriptors(server) < 200, "the descriptors of closed connections to be given back")
        demand(server.client().ask("GET", "/readyz").status == 200, "the server is not ready any more")
        demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        server.start()

    return conditions.run(flexcore.server(options.build, settings={
        "http.header_timeout_ms": HEADER_TIMEOUT_S * 1000, "http.body_timeout_ms": BODY_TIMEOUT_S * 1000,
        "http.write_timeout_ms": WRITE_TIMEOUT_S * 1000, "http.idle_timeout_ms": 3_600_000, "http.access_log": "false"}), body)


if __name__ == "__main__":
    sys.exit(main())
