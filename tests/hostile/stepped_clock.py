#!/usr/bin/env python3
"""The wall clock is stepped back and forth (libfaketime): recorded_at never decreases, and deadlines do not notice.

usage: stepped_clock.py [--build DIR]
"""
import datetime
import glob
import os
import sys
import uuid

import conditions
import flexcore
from conditions import demand

STEPS = ("-1h", "+2d", "-40d", "+0", "-5s", "+365d", "+0")


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        raise SystemExit("libfaketime is missing: tools/setup --test")
    return found[0]


def main():
    options = conditions.options()
    server = flexcore.server(options.build, ["counter"], settings={"commands.timeout_ms": 5000})
    clock = os.path.join(server.folder, "clock")

    def step(offset):
        with open(clock + ".new", "w", encoding="ascii") as file:
            file.write(offset + "\n")
        os.replace(clock + ".new", clock)

    def body(running):
        one = running.client()
        times = []
        repeated = {"type": "counter.increment", "id": "once", "data": {"by": 1}, "command_id": str(uuid.uuid4())}
        for turn, offset in enumerate(("+0", *STEPS)):
            step(offset)
            for number in range(20):
                answer = one.ask("POST", "/v1/streams/clock/events", {"events": [{"type": "a", "data": [turn, number]}]})
                demand(answer.status == 201, f"an append at {offset}: {answer.status} {answer.body[:200]!r}")
                answer = one.ask("POST", "/v1/commands", {"type": "counter.increment", "id": "c", "data": {"by": 1}})
                demand(answer.status == 200, f"a command at {offset}: {answer.status} {answer.body[:200]!r}")
            position = answer.json()["position"]
            read = one.ask("GET", f"/v1/queries/counter.value?id=c&min_position={position}&wait_ms=10000")
            demand(read.status == 200 and read.json()["data"]["value"] == 20 * (turn + 1), f"a query at {offset}: {read.body[:200]!r}")
            again = one.ask("POST", "/v1/commands", repeated)
            demand(again.status == 200, f"a repeated command at {offset}: {again.status} {again.body[:200]!r}")
            newest = one.ask("GET", "/v1/events?direction=backward&limit=1").json()["items"][0]
            times.append(datetime.datetime.fromisoformat(newest["recorded_at"].replace("Z", "+00:00")))
            demand(one.ask("GET", "/readyz").status == 200, f"not ready at {offset}")
        events = flexcore.whole_log(running.client())
        conditions.checks.log_is_sound(events)
        demand(times[-1] - times[0] > datetime.timedelta(days=300), f"the clock was not stepped: {times[0]} to {times[-1]}")
        demand(running.stop() == 0, "the server does not exit 0 after SIGTERM")
        step("-90d")
        running.start()
        answer = running.client().ask("POST", "/v1/streams/clock/events", {"events": [{"type": "a", "data": "after"}]})
        demand(answer.status == 201, f"an append after a restart in the past: {answer.status}")
        events = flexcore.whole_log(running.client())
        conditions.checks.log_is_sound(events)
        print(f"{len(events)} events over {len(STEPS)} steps and a restart, recorded_at from {events[0]['recorded_at']} "
              f"to {events[-1]['recorded_at']} never decreases")

    server.env = {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
                  "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    step("+0")
    return conditions.run(server, body)


if __name__ == "__main__":
    sys.exit(main())
