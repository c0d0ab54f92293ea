#!/usr/bin/env python3
"""Clients that ask for the largest answers and read none, that send all of a large body or bulk line but its end, that
follow the log and do not read: memory stays below a stated bound, which the kernel enforces, and others are still served.

usage: bounded_memory.py [--build DIR] [--connections 150] [--many 4000]
"""
import sys

import conditions
import flexcore
from conditions import demand

PAGE_BYTES = 4 << 20
BODY_BYTES = 4 << 20  # http.body_bytes_max
BEGUN_BYTES = 62_000  # of a body, too few for a good part of what all may hold
HELD_BYTES_MAX = 128 << 20  # and a quarter more for what is small
# Everything that does not depend on clients: code, caches, the ring, the queue, pages being read by the workers.
SERVER_BYTES_MAX = 320 << 20
STACKS_BYTES = 128 << 20  # reserved, hardly touched; the kernel counts them


def serve_others(one, beside):
    """Small appends and what watches the server; reads may be told to come again."""
    for number in range(200):
        answer = one.ask("POST", "/v1/streams/small/events", {"events": [{"type": "a", "data": number}]})
        demand(answer.status == 201, f"an append beside {beside}: {answer.status} {answer.body[:200]!r}")
        demand(one.ask("GET", "/livez").status == 200, f"/livez beside {beside}")
        answer = one.ask("GET", "/v1/streams/small/events?limit=1")
        told = answer.header("retry-after")
        demand(answer.status == 200 or (answer.status == 503 and told), f"a read beside {beside}: {answer.status}, Retry-After {told}")


def send_most(connection, data):
    """As much as the server takes; it may refuse and close meanwhile."""
    try:
        connection.sendall(data)
    except OSError:
        pass


def main():
    options = conditions.options(connections=(int, 150, "that read nothing"), many=(int, 4000, "whose bodies have only begun"))
    many = options.many
    conditions.raise_descriptors(max(many, options.connections), "--many and --connections")

    def body(server):
        one = server.client()
        for _ in range(PAGE_BYTES // (1 << 20) + 1):
            events = [{"type": "a", "data": "x" * 10_000}] * 100
            demand(one.ask("POST", "/v1/streams/large/events", {"events": events}).status == 201, "an append")
        asks = b"GET /v1/events?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 40
        hungry = [conditions.connect(server.port, 4096) for _ in range(options.connections)]
        for connection in hungry:
            connection.sendall(asks)
        serve_others(one, "answers nobody reads")
        for connection in hungry:
            connection.close()
        flexcore.wait_until(lambda: one.ask("GET", "/v1/events?limit=1000").status == 200, "pages to be served again")
        head = b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES
        halves = [conditions.connect(server.port) for _ in range(options.connections)]
        for connection in halves:
            send_most(connection, head + b" " * (BODY_BYTES - 1))
        serve_others(one, "bodies without an end")
        for connection in halves:
            connection.close()
        flexcore.wait_until(lambda: one.ask("GET", "/v1/events?limit=1000").status == 200, "pages to be served again")
        halves = [conditions.connect(server.port) for _ in range(many)]
        for connection in halves:
            send_most(connection, head + b" " * BEGUN_BYTES)
        serve_others(one, "many bodies that have begun")
        for connection in halves:
            connection.close()
        flexcore.wait_until(lambda: one.ask("GET", "/v1/events?limit=1000").status == 200, "pages to be served again")
        halves = [conditions.connect(server.port) for _ in range(options.connections)]
        head = (b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x\r\n" % BODY_BYTES)
        for connection in halves:
            send_most(connection, head + b" " * (BODY_BYTES - 1))
        serve_others(one, "bulk lines without an end")
        for connection in halves:
            connection.close()
        flexcore.wait_until(lambda: one.ask("GET", "/v1/events?limit=1000").status == 200, "pages to be served again")
        follow = b"GET /v1/events/stream?after=0 HTTP/1.1\r\nHost: x\r\n\r\n"
        halves = [conditions.connect(server.port, 4096) for _ in range(options.connections)]
        for connection in halves:
            connection.sendall(follow)
        serve_others(one, "followers that do not read")
        peak = conditions.peak_bytes(server)
        bound = SERVER_BYTES_MAX + HELD_BYTES_MAX * 5 // 4
        print(f"{options.connections} connections with 40 pages of 4 MiB each, then {options.connections} bodies, bulk lines and followers and {many} bodies begun: peak {conditions.mib(peak)}, "
              f"bound {conditions.mib(bound)}")
        demand(peak <= bound, f"peak memory {conditions.mib(peak)} is beyond {conditions.mib(bound)}")
        for connection in halves:
            connection.close()
        flexcore.wait_until(lambda: one.ask("POST", "/v1/streams/large/events", {"events": events}).status == 201,
                            "large bodies to be taken again")

    # Beyond this an allocation fails, and the server ends.
    capped = ["prlimit", f"--data={SERVER_BYTES_MAX + HELD_BYTES_MAX * 5 // 4 + STACKS_BYTES}"]
    return conditions.run(flexcore.server(options.build, wrapper=capped, settings={
        "http.access_log": "false", "http.held_bytes_max": HELD_BYTES_MAX}), body)


if __name__ == "__main__":
    sys.exit(main())
