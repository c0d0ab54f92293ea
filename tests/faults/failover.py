#!/usr/bin/env python3
"""A primary and a synchronous standby, both real: under load the primary is killed and the standby promoted.

The load never stops. The server goes on by itself: writes are refused with 503 and Retry-After meanwhile, none that was
acknowledged is lost, and it writes again within 10 s of the promotion; cached reads are served meanwhile, with their age. The old
primary that comes back alone is refused, by the running server and by one that starts.

usage: failover.py [--build DIR] [--seed N]
"""
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "support"), os.path.join(TESTS, "scenarios")]
import checks  # noqa: E402
import clients  # noqa: E402
import flexcore  # noqa: E402
from ledger import ledger  # noqa: E402
from one_run import one_run  # noqa: E402
from postgres import postgres, url_of_several  # noqa: E402

SCHEMA = "served"
CALM = "calm"
VALUE = f"/v1/queries/counter.value?id={CALM}"
PROBES = 5
WRITING_AGAIN_S = 10  # promised by the product
PAUSE_S = 0.05
HEAD = f"SELECT position, changes FROM {SCHEMA}.log_head"
WHOLE_LOG = 1 << 30


def write(server, book, dice):
    """One append, written down: its answer."""
    wanted = clients.append("probe", 1, dice)
    book.sent(wanted)
    answer = server.client().ask("POST", wanted.target, wanted.text())
    book.answered(wanted, answer.status, answer.json())
    return answer


def warm(server, book):
    """A counter that nobody else touches, its value in the query cache."""
    wanted = clients.command("counter.increment", CALM, {"by": 1})
    book.sent(wanted)
    one = server.client()
    answer = one.ask("POST", wanted.target, wanted.text())
    book.answered(wanted, answer.status, answer.json())
    position = answer.json()["position"]
    for target in (f"{VALUE}&min_position={position}", VALUE):
        checks.demand(one.ask("GET", target).status == 200, "a query is not answered")


def served_meanwhile(server):
    """What is in the query cache is still given, with its age."""
    def aged():
        answer = server.client().ask("GET", VALUE)
        checks.demand(answer.status == 200, f"a cached query without a primary is answered {answer.status}: {answer.body[:300]!r}")
        checks.demand(answer.json()["data"] == {"value": 1}, f"a cached query is answered wrongly: {answer.body!r}")
        return answer.header("age")
    flexcore.wait_until(aged, "the age of a cached answer")


def refused_meanwhile(server, book, dice):
    for _ in range(PROBES):
        answer = write(server, book, dice)
        checks.demand(answer.status == 503, f"a write without a primary is answered {answer.status}: {answer.body[:300]!r}")
        checks.demand((answer.header("retry-after") or "").isdigit(), "a refusal does not say when to come again")
    one = server.client()
    checks.demand(one.ask("GET", "/livez").status == 200, "/livez asks the database")
    checks.demand(one.ask("GET", "/readyz").status == 503, "/readyz asks for traffic without a primary")


def writes_again(server, book, dice, before):
    """Within the time that is promised, counted from when the new primary takes writes; and so does the load, which has never stopped."""
    promoted_at = time.monotonic()
    flexcore.wait_until(lambda: write(server, book, dice).status == 201, "a write after the promotion", WRITING_AGAIN_S)
    print(f"written again {time.monotonic() - promoted_at:.1f} s after the promotion", flush=True)
    flexcore.wait_until(lambda: book.count()[1] > before + 100, "the load to go on after the promotion")


def refusals(server):
    return server.log(WHOLE_LOG).count("is on timeline")


def old_primary_alone_is_refused(server, primary, second, book, dice):
    """By the server that runs, and that has served the new one: nothing is written there, and it says why."""
    unchanged = primary.psql(HEAD)
    before = refusals(server)
    second.kill()
    flexcore.wait_until(lambda: refusals(server) > before, "the running server to refuse the old primary")
    refused_meanwhile(server, book, dice)
    checks.demand(primary.psql(HEAD) == unchanged, "the running server has written to the old primary")
    second.start()
    flexcore.wait_until(lambda: write(server, book, dice).status == 201, "a write when the new primary is back")


def old_primary_is_refused_at_the_start(server, primary, options):
    """Started on the old primary alone, with the data folder that has served the new one."""
    late = flexcore.server(options.build, [], {"store.url": primary.url(), "store.schema": SCHEMA}, data=server.data)
    try:
        late.start()
    except flexcore.failure as error:
        checks.demand("timeline" in str(error), f"the old primary is refused for another reason: {error}")
        return
    finally:
        late.close()
    raise flexcore.failure("a server started on the old primary")


def run(options, dice):
    book = ledger()
    build = options.build
    with postgres(build, fsync=True) as primary, primary.standby("second", synchronous=True) as second:
        both = {"store.url": url_of_several([primary, second]), "store.schema": SCHEMA, "store.connect_timeout_ms": 2000}
        with flexcore.server(build, ["counter", "orders"], both) as server:
            warm(server, book)
            running = clients.load(server.port, book, dice, pause_s=PAUSE_S)
            flexcore.wait_until(lambda: book.count()[1] > 200, "acknowledgements under load")
            primary.kill()
            refused_meanwhile(server, book, dice)
            served_meanwhile(server)
            before = book.count()[1]
            second.promote()
            writes_again(server, book, dice, before)
            running.end()
            checks.everything_holds(server.client(), book)
            clients.send_again(server.port, book)
            # The old one comes back: it is first in the URL, and takes writes.
            primary.synchronous("") if primary.running() else primary.settings.pop("synchronous_standby_names", None)
            primary.start()
            running = clients.load(server.port, book, dice)
            before = book.count()[1]
            second.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'flexcore'")
            flexcore.wait_until(lambda: book.count()[1] > before + 100, "the load to go on with the new primary")
            running.end()
            checks.everything_holds(server.client(), book)
            old_primary_alone_is_refused(server, primary, second, book, dice)
            clients.send_again(server.port, book)
            events = checks.everything_holds(server.client(), book)
            checks.commands_took_effect_once(book, events)
            checks.everybody_took_part(book, clients.KINDS)
            checks.demand(server.stop() == 0, "the server does not exit 0 after SIGTERM")
            old_primary_is_refused_at_the_start(server, primary, options)
            sent, told, refused, _ = book.count()
            print(f"{len(events)} events; {sent} sent, {told} acknowledged, {refused} refused")


if __name__ == "__main__":
    sys.exit(one_run(run, "nothing acknowledged was lost over the failover; the old primary was refused"))
