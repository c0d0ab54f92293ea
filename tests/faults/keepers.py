"""Streams of one client each, whose events are kept by settings, deleted and deleted for good while the server is killed.

Each client knows what its stream must show; at most one operation of it has no answer, and that one happened whole or not at all.
Threads: a stream belongs to its thread until that ends, then to whoever checks.
"""
import copy
import dataclasses
import uuid

from flexcore import client, failure


@dataclasses.dataclass
class kept:
    """What a stream shows: versions after `deleted`, from `truncate_before`, the last `max_count`."""
    version: int = 0
    deleted: int = 0
    truncate_before: int = 0
    max_count: int = 0
    gone: bool = False      # for good

    def first(self):
        return max(self.deleted + 1, self.truncate_before or 1, self.version - self.max_count + 1 if self.max_count else 1)

    def visible(self):
        return [] if self.gone else list(range(self.first(), self.version + 1))

    def there(self):
        return self.version > self.deleted


class keeper:
    def __init__(self):
        self.name = f"kept-{uuid.uuid4().hex[:12]}"
        self.now = kept()
        self.after = None   # what it is if the operation without an answer has happened
        self.request = None
        self.ids = {}       # version -> id, of all appends that were sent

    def work(self, one, random, book):
        """One operation, or the one without an answer again: each may be repeated. An exception leaves it open.
        True: it was acknowledged."""
        if self.after is None:
            self.after, self.request = self._next(random)
        method, target, body, good = self.request
        answer = one.ask(method, target, body)
        if answer.status in good:
            self.now, self.after = self.after, None
        elif answer.status not in (503, 507):
            book.unexpected.append(f"{method} {target}: {answer.status} {answer.body[:300]!r}")
        return answer.status in good

    def _next(self, random):
        after = copy.copy(self.now)
        choice = random.random()
        if choice < 0.6 or not after.there():
            return after, self._append(after, random)
        if choice < 0.9:
            return after, self._settings(after, random)
        after.gone = random.random() < 0.3
        after.deleted = after.version
        return after, ("DELETE", f"/v1/streams/{self.name}?permanent={str(after.gone).lower()}", None, (204,))

    def _append(self, after, random):
        events = [{"id": str(uuid.uuid4()), "type": "fault.kept", "data": {"padding": "x" * random.randrange(2000)}}
                  for _ in range(random.randrange(1, 6))]
        for event in events:
            after.version += 1
            self.ids[after.version] = event["id"]
        body = {"expected_version": self.now.version if self.now.there() else "none", "events": events}
        # 200: it had happened, only its answer was lost.
        return "POST", f"/v1/streams/{self.name}/events", body, (200, 201)

    def _settings(self, after, random):
        # Never less than was taken away: settings that are taken back show what is not reclaimed yet.
        after.truncate_before = random.randrange(after.first(), after.version + 2) if random.random() < 0.3 else after.first()
        after.max_count = random.choice([0, 1, 3, 10])
        body = {"truncate_before": after.truncate_before or None, "max_count": after.max_count or None}
        return "PUT", f"/v1/streams/{self.name}/settings", body, (200,)

    def check(self, one, in_log):
        """`in_log`: [(version, id)] of this stream in the whole log. Settles what had no answer; how many events it has had."""
        shown = self._shown(one)
        states = [self.now] if self.after is None else [self.now, self.after]
        right = [state for state in states if self._as_shown(state) == shown]
        if not right:
            raise failure(f"{self.name}: shows {shown}, expected {[self._as_shown(state) for state in states]} ({states})")
        self.now, self.after = right[0], None
        wanted = [(version, self.ids[version]) for version in self.now.visible()]
        if in_log != wanted:
            raise failure(f"{self.name}: the whole log has {in_log}, the stream {wanted}")
        return self.now.version

    def _as_shown(self, state):
        """(status, version, settings, [(version, id)]): no two states look the same."""
        if state.gone:
            return 410, 0, {}, []
        if not state.there():
            return 404, 0, {}, []
        settings = {"truncate_before": state.truncate_before, "max_count": state.max_count}
        settings = {name: value for name, value in settings.items() if value}
        return 200, state.version, settings, [(version, self.ids[version]) for version in state.visible()]

    def _shown(self, one):
        status, events, start = 200, [], 1
        while start is not None:
            answer = one.ask("GET", f"/v1/streams/{self.name}/events?from={start}&limit=1000")
            if answer.status != 200:
                return answer.status, 0, {}, []
            page = answer.json()
            events += [(event["version"], event["id"]) for event in page["items"]]
            start = page["next"]
        about = one.ask("GET", f"/v1/streams/{self.name}").json()
        return status, about["version"], about["settings"], events


def keep(book, port, random, stopping, answered):
    """Works on streams until `stopping` is set; `answered` is told of each answer whether it acknowledges. Streams of
    earlier runs are taken up again."""
    one = client(port)
    mine = book.resting.pop() if book.resting else book.new_keeper()
    try:
        while not stopping.is_set():
            if mine.now.gone:
                mine = book.new_keeper()
            answered(mine.work(one, random, book))
    finally:
        book.resting.append(mine)


def check_kept(one, book, events):
    """Each stream shows what its client knows; how many events they have had that the log shows no more."""
    in_log = {keeper.name: [] for keeper in book.keepers}
    for event in events:
        if event["stream"] in in_log:
            in_log[event["stream"]].append((event["version"], event["id"]))
    return sum(keeper.check(one, in_log[keeper.name]) - len(in_log[keeper.name]) for keeper in book.keepers)
