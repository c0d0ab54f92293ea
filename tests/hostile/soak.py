#!/usr/bin/env python3
"""Ordinary load for a long time: memory and descriptors stay flat, and in the end everything holds.

usage: soak.py [--build DIR] [--minutes 20] [--seed N]
"""
import random
import sys
import time

import conditions  # first: it says where the others are
import clients
import flexcore
from conditions import demand
from ledger import ledger

SAMPLES = 12
# The log's index in memory, allocator and caches settle in the first third; then this is what may still be added.
GROWTH_BYTES_MAX = 64 << 20


def main():
    options = conditions.options(minutes=(float, 20.0, "of load"), seed=(int, random.SystemRandom().randrange(1 << 32), "of what is sent"))
    print(f"seed {options.seed}, {options.minutes} minutes", flush=True)

    def body(server):
        book = ledger()
        running = clients.load(server.port, book, random.Random(options.seed))
        seen = []
        began = time.monotonic()
        for sample in range(1, SAMPLES + 1):
            until = began + options.minutes * 60 * sample / SAMPLES
            while time.monotonic() < until and server.running():
                time.sleep(0.2)  # polling interval
            demand(server.running(), "the server has ended")
            seen.append((conditions.rss_bytes(server), conditions.descriptors(server)))
            print(f"{time.monotonic() - began:7.0f} s  {conditions.mib(seen[-1][0]):>8}  {seen[-1][1]} descriptors  "
                  f"{book.count()[1]} acknowledged", flush=True)
        running.end()
        settled = seen[SAMPLES // 3:]
        growth = settled[-1][0] - settled[0][0]
        demand(growth <= GROWTH_BYTES_MAX, f"memory grows: {conditions.mib(settled[0][0])} to {conditions.mib(settled[-1][0])}")
        demand(max(n for _, n in settled) - min(n for _, n in settled) <= 16, f"descriptors do not stay: {[n for _, n in settled]}")
        events = conditions.checks.everything_holds(server.client(), book)
        demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        print(f"{len(events)} events; memory and descriptors stay, everything holds")
        server.start()

    return conditions.run(flexcore.server(options.build, ["counter", "orders"], settings={
        # Caches that fill within minutes would look like growth.
        "http.access_log": "false", "commands.aggregates_cached_max": 500, "queries.cache_bytes_max": 1 << 20}), body)


if __name__ == "__main__":
    sys.exit(main())
