"""Rows of targets.md: queries, read models, streams, the whole log."""
from fill import fill
from measure import bulk_line, nginx

KEYS = 1000
QUERY = "/v1/queries/counter.value?id=k7"
ROW = "/v1/read-models/counters/k7"


def _counters(server):
    """KEYS counters; the body a query answers with."""
    one = server.client()
    commands = [{"type": "counter.increment", "id": f"k{n}", "data": {"by": 5}} for n in range(KEYS)]
    answer = one.ask("POST", "/v1/commands/batch", {"commands": commands}).json()
    position = answer["results"][-1]["position"]
    return one.ask("GET", f"{QUERY}&min_position={position}&wait_ms=30000").body.decode()


def against_nginx(bench, name, path, threads, connections, target, writes=False, settings=None):
    with bench.server(settings=settings) as server:
        body = _counters(server)
        if path != QUERY:
            body = server.client().ask("GET", path).body.decode()
        background = None
        if writes:
            background = bench.start_load(server.port, "request", "POST", "/v1/commands",
                                          '{"type":"counter.increment","id":"w$(m500)","data":{"by":1}}', rate=1000)
        try:
            with nginx(body) as other:
                ours, theirs = bench.alternately(lambda: bench.wrk(server.port, path, threads, connections),
                                                 lambda: bench.wrk(other.port, path, threads, connections))
        finally:
            if background is not None:
                background.terminate()
                background.wait()
    return {"row": name, "target": target, "unit": "requests/s", "value": ours["per_s"], "figures": ours,
            "baseline": "nginx return 200", "baseline_value": theirs["per_s"], "baseline_figures": theirs}


def cached_query(bench):
    yield against_nginx(bench, "cached query, 32 connections", QUERY, 1, 32, "50,000/s; 0.75 x nginx")
    yield against_nginx(bench, "cached query, 64 connections", QUERY, 2, 64, "50,000/s; 0.75 x nginx")


def cached_query_under_writes(bench):
    yield against_nginx(bench, "cached query, 64 connections, 1,000 commands/s beside", QUERY, 2, 64, "50,000/s; 0.75 x nginx", True)


def point_read(bench):
    yield against_nginx(bench, "read-model point read, 64 connections", ROW, 2, 64, "50,000/s; 0.75 x nginx")


def point_read_uncached(bench):
    yield against_nginx(bench, "query, cache off, 64 connections", QUERY, 2, 64, "25,000/s", settings={"queries.cache_bytes_max": 0})


def stream_read(bench):
    streams = 1000
    with bench.server(()) as server:
        fill(server, bulk_line(f"bench-$(m{streams})"), streams * 100)
        ours, loop = bench.alternately(
            lambda: bench.load(server.port, "request", "GET", f"/v1/streams/bench-$(r{streams})/events", connections=32),
            lambda: bench.c_loop("read", 100, streams))
    yield {"row": "stream read of 100 events", "target": "6,000/s; 0.8 x C loop", "unit": "streams/s", "value": ours["per_s"],
           "figures": ours, "baseline": "C loop, rows only", "baseline_value": loop["per_s"], "baseline_figures": loop}


def whole_log_read(bench):
    with bench.server(()) as server:
        fill(server, bulk_line("bench-$(m1000)"), min(bench.events, 300_000))
        ours, _ = bench.alternately(lambda: bench.load(server.port, "pages", "/v1/events?limit=1000&after=", connections=2))
    yield {"row": "whole-log read, 1000 per page", "target": "500,000/s", "unit": "events/s", "value": ours["items_per_s"], "figures": ours}
