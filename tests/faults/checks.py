"""What must hold of the log and the read models after a fault."""
import collections

from flexcore import failure, whole_log
from keepers import check_kept

READ_MODELS = ("counters", "orders", "customers", "products")


def demand(holds, text):
    if not holds:
        raise failure(text)


def log_is_sound(events, kept=(), hidden=0):
    """Positions and versions without gaps but for at most `hidden` events of the streams `kept`, ids once, times that never decrease."""
    versions, ids, last_time, last_position = collections.Counter(), set(), "", 0
    for event in events:
        gap = event["position"] - last_position - 1
        demand(0 <= gap <= hidden, f"position {last_position} is followed by {event['position']}, {hidden} may be hidden")
        hidden, last_position = hidden - gap, event["position"]
        versions[event["stream"]] += 1
        demand(event["stream"] in kept or event["version"] == versions[event["stream"]],
               f"{event['stream']}: version {event['version']} comes after {versions[event['stream']] - 1}")
        demand(event["id"] not in ids, f"event {event['id']} is there twice")
        ids.add(event["id"])
        demand(event["recorded_at"] >= last_time, f"recorded_at decreases at {last_position}")
        last_time = event["recorded_at"]


def ledger_holds(book, events):
    """Every acknowledged operation is there exactly as it was acknowledged; every other whole or not at all."""
    by_id = {event["id"]: event for event in events}
    of_command = collections.defaultdict(list)
    for event in events:
        cause = event["metadata"].get("causation_id")
        if cause is not None:
            of_command[cause].append(event)
    for one in book.operations:
        if one.kind == "command":
            _command_holds(one, by_id, of_command[one.command_id])
        else:
            _append_holds(one, by_id)
    ours = {id_ for _, id_, _ in book.all_events()}
    ours.update(id_ for keeper in book.keepers for id_ in keeper.ids.values())
    commands = {one.command_id for one in book.operations if one.kind == "command"}
    for event in events:
        demand(event["id"] in ours or event["metadata"].get("causation_id") in commands,
               f"event {event['id']} ({event['type']}) was sent by nobody")


def _append_holds(one, by_id):
    found = [by_id.get(id_) for _, id_, _ in one.events]
    there = [event for event in found if event is not None]
    if one.state == "acknowledged":
        demand(len(there) == len(found), f"acknowledged, but not in the log: {one.target} {one.text()[:300]}")
    demand(len(there) in (0, len(found)), f"half written: {one.target} {one.text()[:300]}")
    for event, (stream, _, data) in zip(there, one.events):
        demand(event["stream"] == stream and event["data"] == data, f"event {event['id']} is not what was sent")
    positions = [event["position"] for event in there]
    demand(positions == sorted(positions), f"events of one append in another order: {positions}")
    if one.state != "acknowledged":
        return
    demand(one.answer["position"] == positions[-1], f"acknowledged at {one.answer['position']}, found at {positions[-1]}")
    if one.kind == "append":
        told = [(e["id"], e["version"], e["position"]) for e in one.answer["events"]]
        demand(told == [(e["id"], e["version"], e["position"]) for e in there], f"acknowledged as {told}")


def _command_holds(one, by_id, caused):
    if one.state == "refused":
        demand(not caused, f"a refused command has events: {one.text()}")
        return
    demand(len(caused) <= 1, f"command {one.command_id} took effect {len(caused)} times")
    if one.state != "acknowledged":
        return
    for told in one.answer["events"]:
        event = by_id.get(told["id"])
        demand(event is not None, f"acknowledged, but not in the log: event {told['id']} of {one.text()}")
        demand(event["position"] == told["position"] and event["version"] == told["version"]
               and event["stream"] == one.answer["stream"], f"event {told['id']} is elsewhere than acknowledged")
    demand([e["id"] for e in caused] == [e["id"] for e in one.answer["events"]],
           f"the events of command {one.command_id} do not name it as their cause")


def rows_of(one, model, position):
    rows, cursor = {}, ""
    while cursor is not None:
        more = f"&after={cursor}" if cursor else ""
        answer = one.ask("GET", f"/v1/read-models/{model}?limit=1000&min_position={position}&wait_ms=30000{more}")
        demand(answer.status == 200, f"read model {model}: {answer.status} {answer.body[:300]!r}")
        page = answer.json()
        for item in page["items"]:
            demand(item["key"] not in rows, f"{model}: {item['key']} is there twice")
            rows[item["key"]] = item["row"]
        cursor = page["next"]
    return rows


def read_models_hold(one, events, models=READ_MODELS):
    """Rows equal to a fold of the log, made here by other code."""
    position = events[-1]["position"] if events else 0
    expected = fold(events)
    for model in models:
        rows = rows_of(one, model, position)
        wanted = expected[model]
        demand(set(rows) == set(wanted), f"{model}: rows {sorted(set(rows) ^ set(wanted))[:5]} differ")
        for key, row in wanted.items():
            got = {name: rows[key].get(name) for name in row}
            demand(got == row, f"{model}/{key}: is {got}, the log says {row}")


def fold(events):
    counters, orders, customers, products = {}, {}, {}, {}
    for event in events:
        kind, data = event["type"], event["data"]
        key = event["stream"].partition("-")[2]
        if kind == "counter.incremented":
            row = counters.setdefault(key, {"value": 0})
            row["value"] += data["by"]
        elif kind == "sales.order_placed":
            total = sum(line["quantity"] * line["unit_price_minor"] for line in data["lines"])
            orders[key] = {"status": "placed", "customer": data["customer"], "total_minor": total, "lines": data["lines"]}
            _sell(orders[key], customers, products, 1)
        elif kind == "sales.order_shipped":
            orders[key]["status"] = "shipped"
        elif kind == "sales.order_cancelled":
            orders[key]["status"] = "cancelled"
            _sell(orders[key], customers, products, -1)
    return {"counters": counters, "orders": {k: {"status": r["status"], "total_minor": r["total_minor"]} for k, r in orders.items()},
            "customers": customers, "products": {k: r for k, r in products.items() if r["units"] > 0}}


def _sell(order, customers, products, sign):
    if order["customer"] is not None:
        row = customers.setdefault(order["customer"], {"orders": 0, "cancelled": 0, "revenue_minor": 0})
        row["orders" if sign > 0 else "cancelled"] += 1
        row["revenue_minor"] += sign * order["total_minor"]
    for line in order["lines"]:
        row = products.setdefault(line["sku"], {"units": 0, "revenue_minor": 0})
        row["units"] += sign * line["quantity"]
        row["revenue_minor"] += sign * line["quantity"] * line["unit_price_minor"]


def everybody_took_part(book, kinds):
    """A kind of client that is never acknowledged has tested nothing."""
    idle = [kind for kind in kinds if book.acknowledged_to[kind] == 0]
    demand(not idle, f"never acknowledged: clients {', '.join(idle)}")


def log_holds(one, book):
    """The whole log against the ledger; the events."""
    demand(not book.unexpected, f"{len(book.unexpected)} unexpected answers: {book.unexpected[:3]}")
    events = whole_log(one)
    hidden = check_kept(one, book, events)
    log_is_sound(events, {keeper.name for keeper in book.keepers}, hidden)
    ledger_holds(book, events)
    return events


def everything_holds(one, book):
    """The log, and the read models; the events."""
    events = log_holds(one, book)
    read_models_hold(one, events)
    return events


def commands_took_effect_once(book, events):
    """When every command has an answer, each counter is the sum of its commands."""
    wanted = collections.Counter()
    for one in book.operations:
        if one.kind == "command" and one.body["type"] == "counter.increment":
            demand(one.state == "acknowledged", f"a counter refuses: {one.answer}")
            wanted[one.body["id"]] += one.body["data"]["by"]
    found = {key: row["value"] for key, row in fold(events)["counters"].items()}
    demand(found == dict(wanted), "the counters are not the sums of their commands")
