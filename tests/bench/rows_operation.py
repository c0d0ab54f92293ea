"""Rows of targets.md: rebuild, memory, CPU, start."""
import json
import subprocess
import time

import flexcore
from fill import fill
from measure import anonymous_mib, bulk_line, cpu_s, median, nginx

ORDER = ('{"customer":"c$(m500)","country":"UK","currency":"GBP","lines":['
         '{"sku":"s$(m300)","description":"A","quantity":3,"unit_price_minor":255},'
         '{"sku":"s$(m700)","description":"B","quantity":1,"unit_price_minor":99}]}')


COUNTED = bulk_line("counter-$(m1000)", type_="counter.incremented", data='{"by":1}')
# An order in two events; rows in three read models.
ORDERED = (f'{{"stream":"sales.order-$(n)","events":[{{"type":"sales.order_placed","data":{ORDER}}},'
           '{"type":"sales.order_shipped","data":{"carrier":"x"}}]}')


def rebuild(bench):
    for name, plugin, projection, line, per_line, events, target in (
            ("counting", "counter", "counters", COUNTED, 100, bench.events, "100,000/s"),
            ("orders", "orders", "orders", ORDERED, 2, bench.events, "25,000/s")):
        took = rebuilt(bench, plugin, projection, line, per_line, events)
        yield {"row": f"projection rebuild, {name}, {events:,} events", "target": target, "unit": "events/s", "value": events / took}


def rebuilt(bench, plugin, projection, line, per_line, events, settings=None):
    """Seconds that a rebuild takes, of a log filled with `line`."""
    with bench.server((plugin,), settings) as server:
        fill(server, line, events, per_line)
        one = server.client()
        _wait_running(one, projection)
        begun = time.monotonic()
        answer = one.ask("POST", f"/v1/projections/{projection}/rebuild")
        if answer.status != 202:
            raise flexcore.failure(f"rebuild: {answer.status} {answer.body!r}")
        _wait_running(one, projection)
        return time.monotonic() - begun


def _wait_running(one, projection):
    def running():
        status = one.ask("GET", f"/v1/projections/{projection}").json()
        if status["state"] == "stopped":
            raise flexcore.failure(f"projection {projection} stopped: {status.get('error')}")
        return status["state"] == "running" and status["lag_events"] == 0
    flexcore.wait_until(running, f"projection {projection} to run", 300)


def memory_and_start(bench):
    with bench.server(("counter",)) as server:
        yield _plain("start, empty", "0.2 s", "s", _start_again(server))
        yield _plain("memory, idle", "32 MB", "MiB", anonymous_mib(server.process.pid))
        peak = [0.0]
        load = bench.start_load(server.port, "request", "POST", "/v1/commands", '{"type":"counter.increment","id":"$(r5000)","data":{"by":1}}',
                                connections=32)
        reads = bench.start_load(server.port, "request", "GET", "/v1/queries/counter.value?id=$(r5000)", connections=32)
        try:
            end = time.monotonic() + bench.seconds * 2
            while time.monotonic() < end:
                peak[0] = max(peak[0], anonymous_mib(server.process.pid))
                time.sleep(0.05)  # polling interval
        finally:
            for one in (load, reads):
                one.terminate()
                one.wait()
        yield _plain("memory, under load", "150 MB", "MiB", peak[0])
        fill(server, COUNTED, bench.events)
        _wait_running(server.client(), "counters")
        yield _plain(f"memory, {bench.events:,} events", "200 MB", "MiB", anonymous_mib(server.process.pid))
        yield _plain(f"start, {bench.events:,} events", "0.5 s", "s", _start_again(server))
        fill(server, bulk_line("bench-$(m1000)"), 20_000)
        server.kill()
        yield _plain(f"start after kill -9, {bench.events:,} events", "1 s", "s", server.start())


def _start_again(server):
    if server.running():
        server.stop()
    return server.start()


def cpu(bench):
    with bench.server(("counter",)) as server:
        writes = bench.start_load(server.port, "request", "POST", "/v1/commands", '{"type":"counter.increment","id":"$(r1000)","data":{"by":1}}',
                                  rate=1000)
        reads = bench.start_load(server.port, "request", "GET", "/v1/queries/counter.value?id=$(r1000)", rate=5000)
        try:
            flexcore.wait_until(lambda: flexcore.head(server.client()) > 500, "the load")
            begun, used = time.monotonic(), cpu_s(server.process.pid)
            time.sleep(bench.seconds * 2)  # polling interval: the measured time itself
            used, took = cpu_s(server.process.pid) - used, time.monotonic() - begun
        finally:
            for one in (writes, reads):
                one.terminate()
                one.wait()
        yield _plain("CPU at 1,000 commands/s + 5,000 queries/s", "0.5 core", "cores", used / took)


def _plain(name, target, unit, value):
    return {"row": name, "target": target, "unit": unit, "value": value}


OVERLOAD_TIMES = 5
# As one bounds it who wants each command answered soon: what 64 connections have under way.
OVERLOAD_IN_FLIGHT = 64
# What waits for something else than the cores; the work of a large invoice of the sample data; the least that a command can be.
# The size of our own.
REFUSAL = json.dumps({"type": "/problems/overloaded", "title": "Overloaded", "status": 503, "code": "overloaded",
                      "detail": "64 commands are under way; more are taken when these are done", "request_id": "01890a5d-ac96-774b-bcce-b302099a8057"})
OVERLOADS = (("commands that wait 2 ms, one after the other", "../tests/plugins/slow_handler", '{"type":"slow.do","id":"$(u4)","data":{"ms":2}}'),
             ("orders of 200 lines", "orders", '{"type":"sales.place_order","id":"$(u4)","data":{"customer":"c$(m500)","country":"UK",'
              '"currency":"GBP","lines":[' + ",".join(f'{{"sku":"s{n}","description":"A","quantity":3,"unit_price_minor":255}}'
                                                      for n in range(200)) + ']}}'),
             ("increments", "counter", '{"type":"counter.increment","id":"$(u4)","data":{"by":1}}'))


def overload(bench):
    """Commands due at five times the rate that 64 connections reach: what is still done, how fast the rest is refused.

    Whoever sends and whoever refuses take their share of the same cores. What that leaves at best is measured too: the peak while
    nginx refuses the same requests as often.
    """
    for name, plugin, body in OVERLOADS:
        yield from _overload(bench, name, plugin, ("request", "POST", "/v1/commands", body))


def _overload(bench, name, plugin, words):
    settings = {"commands.in_flight_max": OVERLOAD_IN_FLIGHT, "plugins.dirs": bench.build}
    with bench.server((plugin,), settings) as server, nginx(REFUSAL, 503) as other:
        probes = []

        def pressed(rate):
            probe = bench.start_load(server.port, "request", "GET", "/livez", connections=4, rate=20, seconds=bench.seconds,
                                     stdout=subprocess.PIPE)
            figures = bench.load(server.port, *words, connections=OVERLOAD_TIMES * OVERLOAD_IN_FLIGHT, rate=rate)
            probes.append(json.loads(probe.communicate()[0]))
            return figures

        def beside_nginx(rate):
            refused = bench.start_load(other.port, *words, connections=(OVERLOAD_TIMES - 1) * OVERLOAD_IN_FLIGHT, rate=rate,
                                       seconds=bench.seconds, stdout=subprocess.PIPE)
            figures = bench.load(server.port, *words)
            theirs = json.loads(refused.communicate()[0])
            return {"per_s": figures["per_s"], **{key: value for key, value in theirs.items() if key.startswith("refused_")}}

        peaks, ours, beside = [], [], []
        for _ in range(bench.rounds):
            peaks.append(bench.load(server.port, *words))
            ours.append(pressed(OVERLOAD_TIMES * peaks[0]["per_s"]))
            beside.append(beside_nginx(ours[-1]["refused_per_s"]))
        peak, ours, beside = median(peaks), median(ours), median(beside)
    yield {"row": f"overload, {name} due at {OVERLOAD_TIMES} times the peak, done", "target": "0.9 x the peak", "unit": "commands/s",
           "value": ours["per_s"], "baseline": "peak, 64 connections", "baseline_value": peak["per_s"]}
    yield {"row": f"overload, {name}: done, beside what can be", "target": "", "unit": "commands/s", "value": ours["per_s"],
           "baseline": f"peak while nginx refuses {beside['refused_per_s']:,.0f} in a second", "baseline_value": beside["per_s"]}
    refused = {"p50_us": ours["refused_p50_us"], "p99_us": ours["refused_p99_us"]}
    yield {**_plain(f"overload, {name}: a refusal, {ours['refused_per_s']:,.0f} in a second", "p99 5 ms", "ms p99",
                    ours["refused_p99_us"] / 1000), "figures": refused, "baseline": "nginx, as many",
           "baseline_value": beside["refused_p99_us"] / 1000}
    yield _plain(f"overload, {name}: /livez beside it", "p99 50 ms", "ms p99", max(one["p99_us"] for one in probes) / 1000)
