#!/usr/bin/env python3
"""A plugin is unloaded and loaded again and again under load: every command is answered 200, 404 or 503, and has its effect
exactly when it was acknowledged.

usage: reloads.py [--build DIR] [--reloads 100] [--clients 4]
"""
import sys
import threading
import uuid

import conditions
import flexcore
from conditions import demand


class commander(threading.Thread):
    def __init__(self, port, number, stopping):
        super().__init__(daemon=True)
        self.port, self.number, self.stopping = port, number, stopping
        self.told, self.wrong = {}, []
        self.counts = {200: 0, 404: 0, 503: 0}

    def run(self):
        one = flexcore.client(self.port)
        try:
            while not self.stopping.is_set():
                command = {"type": "counter.increment", "id": f"c-{self.number % 2}", "data": {"by": 1},
                           "command_id": str(uuid.uuid4())}
                answer = one.ask("POST", "/v1/commands", command)
                if answer.status not in self.counts or (answer.status == 503 and answer.header("retry-after") is None):
                    self.wrong.append(f"{answer.status} {answer.body[:200]!r}")
                    continue
                self.counts[answer.status] += 1
                self.told[command["command_id"]] = answer.status
                read = one.ask("GET", f"/v1/queries/counter.value?id=c-{self.number % 2}")
                if read.status not in (200, 404, 503):
                    self.wrong.append(f"query: {read.status} {read.body[:200]!r}")
        except (OSError, ValueError) as error:
            self.wrong.append(repr(error))


def main():
    options = conditions.options(reloads=(int, 100, "times"), clients=(int, 4, "that command meanwhile"))
    path = f"{options.build}/plugins/counter.so"

    def body(server):
        admin = server.client()
        stopping = threading.Event()
        clients = [commander(server.port, number, stopping) for number in range(options.clients)]
        for one in clients:
            one.start()
        sizes = []
        for number in range(options.reloads):
            gone = admin.ask("DELETE", "/v1/plugins/counter")
            demand(gone.status in (200, 204), f"unload {number}: {gone.status} {gone.body[:300]!r}")
            loaded = admin.ask("POST", "/v1/plugins", {"path": path})
            demand(loaded.status == 201, f"load {number}: {loaded.status} {loaded.body[:300]!r}")
            done = sum(one.counts[200] for one in clients)
            flexcore.wait_until(lambda: sum(one.counts[200] for one in clients) > done + 5 or not any(t.is_alive() for t in clients),
                                "commands between two reloads")
            sizes.append((conditions.descriptors(server), conditions.rss_bytes(server)))
        stopping.set()
        for one in clients:
            one.join()
        wrong = [text for one in clients for text in one.wrong]
        demand(not wrong, f"{len(wrong)} unexpected answers: {wrong[:3]}")
        told = {id_: status for one in clients for id_, status in one.told.items()}
        events = flexcore.whole_log(server.client())
        conditions.checks.log_is_sound(events)
        effects = [event["metadata"]["causation_id"] for event in events]
        demand(len(effects) == len(set(effects)), "a command took effect twice")
        lost = {id_ for id_, status in told.items() if status == 200} - set(effects)
        demand(not lost, f"{len(lost)} acknowledged commands are not in the log")
        # 404 says that nobody knows the command; 503 may be told of one that was at work.
        stray = {id_ for id_, status in told.items() if status == 404} & set(effects)
        demand(not stray, f"{len(stray)} commands took effect though they were answered 404")
        conditions.checks.read_models_hold(server.client(), events, ("counters",))
        counts = {status: sum(one.counts[status] for one in clients) for status in (200, 404, 503)}
        print(f"{options.reloads} reloads under load: {counts}; descriptors {sizes[0][0]} to {sizes[-1][0]}, "
              f"memory {conditions.mib(sizes[0][1])} to {conditions.mib(sizes[-1][1])}")
        demand(sizes[-1][0] <= sizes[0][0] + 8, f"descriptors grow with reloads: {sizes[0][0]} to {sizes[-1][0]}")

    return conditions.run(flexcore.server(options.build, ["counter"], settings={
        "plugins.dirs": f"{options.build}/plugins", "http.access_log": "false"}), body)


if __name__ == "__main__":
    sys.exit(main())
