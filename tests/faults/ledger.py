"""What the clients wanted, and what they were told. Each operation is written down before it is sent.

An operation carries ids made here (event ids or a command id), so that it can be sent again as it is.
Threads: `sent` and `answered` on any thread; everything else when the clients have ended.
"""
import collections
import itertools
import json
import threading

from keepers import keeper


class operation:
    """kind: "append", "appends", "line" or "command". events: [(stream, id, data)] of an append, in order."""

    def __init__(self, kind, target, body, events=(), command_id=None):
        self.kind, self.target, self.body = kind, target, body
        self.events, self.command_id = list(events), command_id
        self.state = "open"     # "open", "acknowledged", "refused"
        self.answer = None      # the body of the acknowledgement

    def text(self):
        return json.dumps(self.body, separators=(",", ":"))


class ledger:
    def __init__(self):
        self._lock = threading.Lock()
        self.operations = []
        self.unexpected = []
        self.acknowledged_to = collections.Counter()  # kind of client -> acknowledgements
        self.keepers = []   # all streams with settings and deletions
        self.resting = []   # those of them that no thread works on

    def new_keeper(self):
        made = keeper()
        self.keepers.append(made)
        return made

    def sent(self, one):
        with self._lock:
            self.operations.append(one)

    def answered(self, one, status, body):
        """200 and 201 acknowledge; a refusal by the domain is an answer as well; 5xx and 409 for what still runs say nothing."""
        if status in (200, 201):
            one.answer = body
            one.state = "acknowledged"
        elif status == 422 and body.get("code") == "command_rejected":
            one.answer = body
            one.state = "refused"
        elif status in (503, 507) or body.get("code") in ("request_in_progress", "deadline_exceeded"):
            pass  # not acknowledged: it may be there or not
        else:
            with self._lock:
                self.unexpected.append(f"{one.target}: {status} {json.dumps(body)[:300]}")

    def open(self):
        return [one for one in self.operations if one.state == "open"]

    def acknowledged(self):
        return [one for one in self.operations if one.state == "acknowledged"]

    def count(self):
        """(sent, acknowledged, refused, open)"""
        states = [one.state for one in self.operations]
        return len(states), states.count("acknowledged"), states.count("refused"), states.count("open")

    def all_events(self):
        return itertools.chain.from_iterable(one.events for one in self.operations)
