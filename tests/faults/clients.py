"""Clients that append and command without pause until the server is killed under them or they are told to stop."""
import http.client
import json
import threading
import time
import traceback
import uuid

from flexcore import client, failure
from keepers import keep
from ledger import operation
from streams import raw_connection

# What a client may see of a server that was killed. Of one that lives it is a broken promise.
GONE = (OSError, http.client.HTTPException, failure)
KINDS = ("single", "exact", "several_streams", "bulk", "counter", "orders", "kept")
BULK_LINES = 20


class worker:
    """One client: how many acknowledgements it has had, and what ended it, if anything but `stop` did."""

    def __init__(self, kind, copy):
        self.kind, self.copy = kind, copy
        self.acknowledged = 0
        self.error, self.ended_at = None, None

    def answered(self, acknowledged):
        self.acknowledged += acknowledged

    def report(self):
        return f"the client \"{self.kind}\" ended: {''.join(traceback.format_exception(self.error))[-2000:]}"


class load:
    """Starts one thread per kind and copy. `end` and `kill` end them, and fail when one has ended before. pause_s: who was not
    served sends its next after that, so that a long fault does not leave more operations open than can be sent again."""

    def __init__(self, port, book, random, copies=1, pause_s=0.0):
        self.port, self.book, self.pause_s = port, book, pause_s
        self._stopping = threading.Event()
        self._workers = [worker(kind, copy) for kind in KINDS for copy in range(copies)]
        self.threads = [threading.Thread(target=self._run, args=(one, random.randrange(1 << 60)), daemon=True) for one in self._workers]
        for thread in self.threads:
            thread.start()

    def end(self):
        """After the requests at hand, all of which are answered."""
        self._stopping.set()
        self._join(lambda one: one.error is None)

    def kill(self, server):
        """kill -9 at the server: every client works until then, and meets nothing worse than its end."""
        killed_at = time.monotonic()
        server.kill()
        self._stopping.set()
        self._join(lambda one: one.error is None or (one.ended_at > killed_at and isinstance(one.error, GONE)))

    def _join(self, is_well):
        for thread in self.threads:
            thread.join()
        for one in self._workers:
            self.book.acknowledged_to[one.kind] += one.acknowledged
        ill = [one.report() for one in self._workers if not is_well(one)]
        if ill:
            raise failure("\n".join(ill))

    def _run(self, me, seed):
        import random
        try:
            getattr(self, "_" + me.kind)(me, random.Random(seed))
        except BaseException as error:  # whatever it is, it must not go unseen
            me.error, me.ended_at = error, time.monotonic()

    def _send(self, me, one, operation_):
        self.book.sent(operation_)
        answer = one.ask("POST", operation_.target, operation_.text())
        self._told(me, operation_, answer.status, answer.json())
        self._pause(operation_)

    def _pause(self, *operations):
        if self.pause_s and any(one.state == "open" for one in operations):
            self._stopping.wait(self.pause_s)

    def _told(self, me, operation_, status, body):
        self.book.answered(operation_, status, body)
        me.answered(operation_.state == "acknowledged")

    def _single(self, me, random):
        """One to three events, any version, streams shared by all."""
        one = client(self.port)
        while not self._stopping.is_set():
            self._send(me, one, append(f"shared-{random.randrange(20)}", random.randrange(1, 4), random))

    def _exact(self, me, random):
        """Each append names the version it expects; the stream is this client's own."""
        one = client(self.port)
        stream, version = f"own-{me.copy}-{uuid.uuid4().hex[:8]}", 0
        wanted = None
        while not self._stopping.is_set():
            if wanted is None:
                wanted = append(stream, random.randrange(1, 3), random)
                wanted.body["expected_version"] = version
                self.book.sent(wanted)
            answer = one.ask("POST", wanted.target, wanted.text())
            self._told(me, wanted, answer.status, answer.json())
            # Without an answer the same goes out again: another one could not expect a version.
            if wanted.state == "acknowledged":
                version, wanted = answer.json()["last_version"], None
            else:
                self._pause(wanted)

    def _several_streams(self, me, random):
        one = client(self.port)
        while not self._stopping.is_set():
            parts = [append(f"{name}-{random.randrange(10)}", random.randrange(1, 3), random) for name in ("left", "right")]
            body = {"appends": [{"stream": p.events[0][0], **p.body} for p in parts]}
            self._send(me, one, operation("appends", "/v1/append", body, parts[0].events + parts[1].events))

    def _bulk(self, me, random):
        """NDJSON; each line is acknowledged as its answer comes."""
        while not self._stopping.is_set():
            lines = []
            for _ in range(BULK_LINES):
                part = append(f"bulk-{random.randrange(10)}", random.randrange(1, 6), random)
                lines.append(operation("line", "/v1/append", {"stream": part.events[0][0], **part.body}, part.events))
            for line in lines:
                self.book.sent(line)
            body = "\n".join(line.text() for line in lines).encode() + b"\n"
            connection = raw_connection(self.port)
            try:
                connection.send(b"POST /v1/append HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                                b"Content-Length: %d\r\n\r\n" % len(body) + body)
                status = connection.begin()
                for line in lines:
                    answer = json.loads(connection.line())
                    self._told(me, line, answer.get("status", status), answer)
                connection.expect_end()
            finally:
                connection.close()
            self._pause(*lines)

    def _counter(self, me, random):
        one = client(self.port)
        while not self._stopping.is_set():
            name = random.choice(["hot", "hot", f"cold-{random.randrange(20)}"])
            self._send(me, one, command("counter.increment", name, {"by": random.randrange(1, 10)}))

    def _orders(self, me, random):
        """Places orders; ships or cancels some, sometimes twice, so that refusals come too."""
        one = client(self.port)
        placed = []
        while not self._stopping.is_set():
            if placed and random.random() < 0.5:
                name = random.choice(placed)
                wanted = random.choice([("sales.ship_order", {"carrier": "x"}), ("sales.cancel_order", {"reason": "y"})])
                self._send(me, one, command(wanted[0], name, wanted[1]))
                continue
            name = uuid.uuid4().hex[:12]
            lines = [{"sku": f"s{random.randrange(15)}", "description": "d", "quantity": random.randrange(1, 9),
                      "unit_price_minor": random.randrange(1, 500)} for _ in range(random.randrange(1, 4))]
            data = {"customer": random.choice([None, f"c{random.randrange(10)}"]), "country": "UK", "currency": "GBP",
                    "lines": lines}
            self._send(me, one, command("sales.place_order", name, data))
            placed.append(name)

    def _kept(self, me, random):
        """Streams with settings, deleted, written again, deleted for good."""
        keep(self.book, self.port, random, self._stopping, me.answered)


def append(stream, count, random, padding=0):
    more = {"padding": "x" * padding} if padding else {}
    events = [(stream, str(uuid.uuid4()), {"value": random.randrange(1000), **more}) for _ in range(count)]
    body = {"events": [{"id": id_, "type": "fault.tested", "data": data} for _, id_, data in events]}
    return operation("append", f"/v1/streams/{stream}/events", body, events)


def command(type_, name, data):
    command_id = str(uuid.uuid4())
    body = {"type": type_, "id": name, "data": data, "command_id": command_id}
    return operation("command", "/v1/commands", body, command_id=command_id)


def send_again(port, book):
    """Every open operation once more, as it was: afterwards each has an answer."""
    one = client(port)
    for wanted in book.open():
        if wanted.kind == "line":
            answer = one.ask("POST", "/v1/append", wanted.text() + "\n", {"Content-Type": "application/x-ndjson"})
            body = json.loads(answer.body.split(b"\n")[0])
            book.answered(wanted, body.get("status", answer.status), body)
        else:
            answer = one.ask("POST", wanted.target, wanted.text())
            book.answered(wanted, answer.status, answer.json())
        if wanted.state == "open":
            raise failure(f"sent again, {wanted.target} has no answer: {answer.status} {answer.body[:300]!r}")
