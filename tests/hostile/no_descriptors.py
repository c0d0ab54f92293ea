#!/usr/bin/env python3
"""More connections than there are file descriptors: those beyond are told so or wait, who is connected is served, the store and
plugins can still open files, and everything is as before afterwards.

usage: no_descriptors.py [--build DIR] [--limit 96]
"""
import sys

import conditions
import flexcore
from conditions import demand


def told(connection):
    """Whether the server has refused this connection, with 503."""
    connection.setblocking(False)
    try:
        return connection.recv(12) == b"HTTP/1.1 503"
    except OSError:
        return False


def served(server):
    try:
        return server.client().ask("GET", "/livez").status == 200
    except OSError:
        return False


def main():
    options = conditions.options(limit=(int, 96, "descriptors of the server"))

    def body(server):
        one = server.client()
        demand(one.ask("POST", "/v1/streams/a/events", {"events": [{"type": "a", "data": 0}]}).status == 201, "an append")
        extra = [conditions.connect(server.port) for _ in range(options.limit * 2)]
        for number in range(1, 101):
            answer = one.ask("POST", "/v1/streams/a/events", {"events": [{"type": "a", "data": number}]})
            demand(answer.status == 201, f"an append without descriptors: {answer.status} {answer.body[:200]!r}")
            answer = one.ask("GET", "/v1/streams/a/events?limit=1000")
            demand(answer.status == 200, f"a read without descriptors: {answer.status} {answer.body[:200]!r}")
        refused = sum(told(connection) for connection in extra)
        demand(refused >= options.limit, f"only {refused} of {len(extra)} connections were refused")
        loaded = one.ask("POST", "/v1/plugins", {"path": f"{options.build}/plugins/orders.so"})
        demand(loaded.status == 201, f"a plugin beside them: {loaded.status} {loaded.body[:300]!r}")
        demand(server.running(), "the server has ended")
        for connection in extra:
            connection.close()
        flexcore.wait_until(lambda: served(server), "new connections to be served afterwards")
        events = flexcore.whole_log(server.client())
        conditions.checks.log_is_sound(events)
        demand([event["data"] for event in events] == list(range(101)), "the log is not what was acknowledged")
        print(f"{refused} of {len(extra)} connections refused with 503 under a limit of {options.limit} descriptors; served again afterwards")
        demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
        server.start()

    return conditions.run(flexcore.server(options.build, wrapper=["prlimit", f"--nofile={options.limit}:{options.limit}"],
                                          settings={"plugins.dirs": f"{options.build}/plugins"}), body)


if __name__ == "__main__":
    sys.exit(main())
