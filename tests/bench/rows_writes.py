"""Rows of targets.md: appends, commands, bulk, plugin calls, propagation."""
import json

from fill import fill
from measure import PAYLOAD, bulk_line, event_json, median

STREAMS = 1000


def single_append(bench):
    with bench.server(()) as server:
        ours, loop = bench.alternately(
            lambda: bench.load(server.port, "request", "POST", f"/v1/streams/bench-$(r{STREAMS})/events",
                               '{"events":[' + event_json() + "]}"),
            lambda: bench.c_loop("append", "ordered", 64, 1, STREAMS))
    yield {"row": "single append, 64 connections", "target": "15,000/s; p95 10 ms", "unit": "appends/s", "value": ours["per_s"],
           "figures": ours, "baseline": "C loop, 64 per commit", "baseline_value": loop["items_per_s"], "baseline_figures": loop}


def _commands(bench, name, target, body, plugins=("counter",)):
    with bench.server(plugins) as server:
        ours, _ = bench.alternately(lambda: bench.load(server.port, "request", "POST", "/v1/commands", body))
    return {"row": name, "target": target, "unit": "commands/s", "value": ours["per_s"], "figures": ours}


def commands(bench):
    yield _commands(bench, "commands, distinct aggregates, 64 connections", "10,000/s; p95 15 ms",
                    '{"type":"counter.increment","id":"$(u4)","data":{"by":1}}')
    order = {"customer": "17850", "country": "United Kingdom", "currency": "GBP",
             "lines": [{"sku": f"s{n}", "description": "HEART T-LIGHT", "quantity": 6, "unit_price_minor": 255} for n in range(5)]}
    yield _commands(bench, "commands, placing orders of 5 lines", "(10,000/s)",
                    '{"type":"sales.place_order","id":"$(u4)","data":' + json.dumps(order, separators=(",", ":")) + "}", ("orders",))


def hot_commands(bench):
    yield _commands(bench, "commands on one hot aggregate, 64 connections", "5,000/s",
                    '{"type":"counter.increment","id":"hot","data":{"by":1}}')


def bulk(bench):
    for name, ids, id_, target in (("ids made by the server", "ordered", None, "100,000/s or 0.7 x C loop"),
                                   ("random ids of clients", "random", "$(u4)", "0.7 x C loop")):
        with bench.server(()) as server:
            line = bulk_line(f"bench-$(r{STREAMS})", id_=id_)
            ours, loop = bench.alternately(
                lambda: bench.load(server.port, "bulk", "/v1/append", line, connections=4, window=16),
                lambda: bench.c_loop("append", ids, 1000, 100, STREAMS))
        yield {"row": f"bulk NDJSON, 100 events per append, {name}", "target": target, "unit": "events/s", "value": ours["per_s"] * 100,
               "figures": ours, "baseline": f"C loop, {ids} ids", "baseline_value": loop["items_per_s"], "baseline_figures": loop}


def execute(bench):
    with bench.server(("echo",)) as server:
        ours, _ = bench.alternately(lambda: bench.load(server.port, "request", "POST", "/v1/plugins/echo/execute", "x" * 1024,
                                                       type="application/octet-stream"))
    yield {"row": "plugin execute, 1 KiB in and out", "target": "20,000/s", "unit": "calls/s", "value": ours["per_s"], "figures": ours}


def propagation(bench):
    body = '{"events":[{"type":"bench.happened","data":{"t":$(t),"more":' + PAYLOAD + "}}]}"
    with bench.server(()) as server:
        ours, _ = bench.alternately(lambda: bench.load(server.port, "sse", "/v1/events/stream", "/v1/streams/bench-$(r1000)/events", body,
                                                       connections=1, rate=1000))
    yield {"row": "append to SSE subscriber at 1,000 events/s", "target": "p95 5 ms", "unit": "ms p95", "value": ours["p95_us"] / 1000,
           "figures": ours}


FEW = 10_000


def append_growth(bench):
    """The same appends to a small log and to a large one, one after the other: the log cannot be made small again."""
    body = '{"events":[' + event_json() + "]}"
    many = 10 * bench.events
    with bench.server(()) as server:
        def rounds(at):
            fill(server, bulk_line(f"bench-$(m{STREAMS})"), at)
            return median([bench.load(server.port, "request", "POST", f"/v1/streams/bench-$(r{STREAMS})/events", body)
                           for _ in range(bench.rounds)])
        small, large = rounds(FEW), rounds(many)
    yield {"row": f"single append at {many:,} events", "target": "1/1.3 of that at 10,000", "unit": "appends/s", "value": large["per_s"],
           "figures": large, "baseline": f"at {FEW:,} events", "baseline_value": small["per_s"], "baseline_figures": small}
