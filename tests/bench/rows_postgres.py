"""Rows of the targets with PostgreSQL as the store, on a server of its own with the defaults of PostgreSQL, durable.

Baselines have a schema of their own in the same server, made by a server of ours, which has ended then.
"""
import itertools
import os
import subprocess

import flexcore
import postgres as support
from fill_postgres import fill_log
from measure import bulk_line, event_json, figures_of
from rows_operation import ORDERED, rebuilt
from rows_reads import QUERY, against_nginx
from rows_writes import STREAMS

# What tests/support/postgres.py sets otherwise: the defaults of PostgreSQL again.
DEFAULTS = {"shared_buffers": "128MB", "wal_keep_size": "0", "dynamic_shared_memory_type": "posix"}
NOT_INSTALLED = "there is no PostgreSQL 15 on this machine; tools/setup --test installs it"


def installed():
    return os.path.exists(os.path.join(support.PROGRAMS, "postgres"))


class cluster:
    """A PostgreSQL for one row, and servers of ours on schemas of it."""

    def __init__(self, bench):
        if not installed():
            raise flexcore.failure(NOT_INSTALLED)
        self.bench = bench
        self.names = (f"bench_{n}" for n in itertools.count(1))
        self.server = support.postgres(bench.build, fsync=True, settings=DEFAULTS)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)

    def settings(self, schema=None):
        return {"store.url": self.server.url(), "store.schema": schema or next(self.names)}

    def flexcore(self, plugins=(), schema=None, settings=None):
        return self.bench.server(plugins, {**self.settings(schema), **(settings or {})})

    def schema(self):
        """A new one as the migrations make it, and nobody at it."""
        name = next(self.names)
        with self.flexcore((), name) as one:
            one.stop()
        return name

    def loop(self, schema, *words):
        command = [os.path.join(self.bench.build, "tests", "baseline_postgres"), self.server.url(), schema, *map(str, words),
                   str(self.bench.seconds)]
        return figures_of(subprocess.run(command, capture_output=True, text=True, check=False))

    def head(self, schema):
        """(events, transactions) of a log so far."""
        return [int(n) for n in self.server.psql(f"SELECT position, changes FROM {schema}.log_head").split("|")]


def bulk(bench):
    line = bulk_line(f"bench-$(r{STREAMS})")
    with cluster(bench) as on:
        theirs, ours = on.schema(), next(on.names)
        with on.flexcore((), ours) as server:
            per_commit = [100]

            def load():
                before = on.head(ours)
                figures = bench.load(server.port, "bulk", "/v1/append", line, connections=4, window=16)
                events, commits = (after - begun for after, begun in zip(on.head(ours), before))
                per_commit[0] = max(1, round(events / commits / 100)) * 100
                return figures
            bench.load(server.port, "bulk", "/v1/append", line, connections=4, window=16, seconds=1)
            load()  # how much one commit of ours takes, before the loop does as much
            figures, loop = bench.alternately(load, lambda: on.loop(theirs, "bulk", per_commit[0], 100, STREAMS))
    yield {"row": f"PostgreSQL: bulk NDJSON, 100 events per append, {per_commit[0]:,} per commit", "target": "0.6 x libpq loop",
           "unit": "events/s", "value": figures["per_s"] * 100, "figures": figures, "baseline": "libpq loop, unnest, as many per commit",
           "baseline_value": loop["items_per_s"], "baseline_figures": loop}


# They wait for each other's head row, so more of them are not always better.
SESSIONS = (4, 16, 64)


def _single(bench, name, plugins, words, settings=None, warmup=0.5, target="4,000/s; 2 x a transaction per append"):
    with cluster(bench) as on:
        theirs = on.schema()
        best = max(SESSIONS, key=lambda sessions: on.loop(theirs, "single", sessions, STREAMS)["per_s"])
        with on.flexcore(plugins, settings=settings) as server:
            figures, loop = bench.alternately(lambda: bench.load(server.port, "request", "POST", *words, warmup=warmup),
                                              lambda: on.loop(theirs, "single", best, STREAMS))
    return {"row": f"PostgreSQL: {name}, 64 connections", "target": target, "unit": f"{name.split()[-1]}/s",
            "value": figures["per_s"], "figures": figures, "baseline": f"a transaction per append, {best} sessions",
            "baseline_value": loop["per_s"], "baseline_figures": loop}


def append(bench):
    yield _single(bench, "single appends", (), (f"/v1/streams/bench-$(r{STREAMS})/events", '{"events":[' + event_json() + "]}"))


def commands(bench):
    yield _single(bench, "distinct commands", ("counter",), ("/v1/commands", '{"type":"counter.increment","id":"$(u4)","data":{"by":1}}'))
    # Each is loaded again, with the few events it has had.
    yield _single(bench, "aggregates that are there but not in memory, commands", ("counter",), ("/v1/commands", '{"type":"counter.increment","id":"$(m5000)","data":{"by":1}}'),
                  settings={"commands.aggregates_cached_max": 0}, warmup=2, target="")
    yield _single(bench, "hot commands", ("counter",), ("/v1/commands", '{"type":"counter.increment","id":"hot","data":{"by":1}}'))


def cached_query(bench):
    with cluster(bench) as on:
        rows = [against_nginx(bench, f"{name}: cached query, 64 connections", QUERY, 2, 64, "50,000/s; 0.75 x nginx", settings=settings)
                for name, settings in (("SQLite", {}), ("PostgreSQL", on.settings()))]
    yield from rows


def rebuild(bench):
    events = bench.events // 4
    with cluster(bench) as on:
        took = rebuilt(bench, "orders", "orders", ORDERED, 2, events, on.settings())
    yield {"row": f"PostgreSQL: projection rebuild, orders, {events:,} events", "target": "10,000/s", "unit": "events/s",
           "value": events / took}


FEW = 10_000


def growth(bench):
    """The same appends to a small log and to large ones, in turn: each round has a small one of its own."""
    body = '{"events":[' + event_json() + "]}"
    with cluster(bench) as on:
        large = on.schema()

        def rate(schema):
            with on.flexcore((), schema) as server:
                return bench.load(server.port, "request", "POST", f"/v1/streams/bench-$(r{STREAMS})/events", body, warmup=1)

        def small():
            schema = on.schema()
            fill_log(on.server, schema, FEW, STREAMS)
            try:
                return rate(schema)
            finally:
                on.server.drop_schema(schema)
        for many in (bench.events, 10 * bench.events):
            fill_log(on.server, large, many, STREAMS)
            figures, few = bench.alternately(lambda: rate(large), small)
            yield {"row": f"PostgreSQL: single append at {many:,} events", "target": f"1/1.3 of that at {FEW:,}", "unit": "appends/s",
                   "value": figures["per_s"], "figures": figures, "baseline": f"at {FEW:,} events", "baseline_value": few["per_s"],
                   "baseline_figures": few}
