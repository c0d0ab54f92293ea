#!/usr/bin/env python3
"""Ordinary load for a long time: descriptors stay, memory stays flat over the last third of a run of ten minutes or more (a
shorter one shows only that it does not run away), and in the end everything holds.

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
# Until allocator and caches have settled memory grows. A short run ends before that, and has this bound behind its first third.
SHORT_GROWTH_BYTES_MAX = 64 << 20
# From here on memory is to be flat: what a straight line through the last third may rise.
LONG_MINUTES, LONG_GROWTH_BYTES_MAX = 10, 4 << 20


def rise(points):
    """How far the line that lies nearest to the points (x, y) rises from the first to the last (least squares)."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
    return slope * (points[-1][0] - points[0][0])


def memory_is_flat(rss, minutes):
    """`rss`: (time, bytes) all along. What was shown, as words."""
    begin, end = rss[0][0], rss[-1][0]
    if minutes >= LONG_MINUTES:
        risen = rise([one for one in rss if one[0] >= end - (end - begin) / 3])
        demand(risen <= LONG_GROWTH_BYTES_MAX, f"memory rises by {risen / (1 << 20):.1f} MiB in the last third")
        return f"memory rises by {risen / (1 << 20):.1f} MiB in the last third"
    settled = [size for at, size in rss if at >= begin + (end - begin) / 3]
    grown = settled[-1] - settled[0]
    demand(grown <= SHORT_GROWTH_BYTES_MAX, f"memory grows: {conditions.mib(settled[0])} to {conditions.mib(settled[-1])}")
    return f"memory grows by {conditions.mib(grown)} behind the first third (that it is flat shows only in {LONG_MINUTES} minutes)"


def main():
    options = conditions.options(minutes=(float, 20.0, "of load"), seed=(int, random.SystemRandom().randrange(1 << 32), "of what is sent"))
    print(f"seed {options.seed}, {options.minutes} minutes", flush=True)

    def body(server):
        book = ledger()
        running = clients.load(server.port, book, random.Random(options.seed))
        rss, descriptors = [], []
        began = time.monotonic()
        for sample in range(1, SAMPLES + 1):
            until = began + options.minutes * 60 * sample / SAMPLES
            while time.monotonic() < until and server.running():
                time.sleep(0.2)  # polling interval
                if server.running():
                    rss.append((time.monotonic(), conditions.rss_bytes(server)))
            demand(server.running(), "the server has ended")
            descriptors.append(conditions.descriptors(server))
            print(f"{time.monotonic() - began:7.0f} s  {rss[-1][1] / (1 << 20):7.1f} MiB  {descriptors[-1]} descriptors  "
                  f"{book.count()[1]} acknowledged", flush=True)
        running.end()
        shown = memory_is_flat(rss, options.minutes)
        settled = descriptors[SAMPLES // 3:]
        demand(max(settled) - min(settled) <= 16, f"descriptors do not stay: {settled}")
        events = conditions.checks.everything_holds(server.client(), book)
        demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        print(f"{len(events)} events; {shown}, descriptors stay, everything holds")
        server.start()

    return conditions.run(flexcore.server(options.build, ["counter", "orders"], settings={
        # Caches that fill within minutes would look like growth.
        "http.access_log": "false", "commands.aggregates_cached_max": 500, "queries.cache_bytes_max": 1 << 20}), body)


if __name__ == "__main__":
    sys.exit(main())
