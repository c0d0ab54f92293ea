#include "unit/domain/counter_fixture.hpp"

#include "domain/errc.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

TEST_CASE("aggregates: a command's events are durable when it is answered") {
    aggregate_world w;
    const auto reply = w.send("add", 5).get();
    REQUIRE(reply);
    CHECK(reply->stream == "counter-1");
    CHECK(reply->ver == 1);
    CHECK(reply->pos == 1);
    CHECK(reply->result == "5");
    REQUIRE(reply->events.size() == 1);
    CHECK(reply->events[0].type == "counter.added");
    CHECK(reply->events[0].ver == 1);
    CHECK(reply->events[0].pos == 1);
    const auto page = w.log.read_stream("default", "counter-1", 1, 10, store::direction::forward);
    REQUIRE(page);
    REQUIRE(page->batch->events.size() == 1);
    CHECK(page->batch->events[0].id == reply->events[0].id);
    CHECK(page->batch->events[0].data == R"({"by":5,"before":0})");
    // The command's metadata counts; what the behavior adds stays.
    CHECK(page->batch->events[0].metadata == R"({"causation_id":"c","own":1})");
}

TEST_CASE("aggregates: a hot aggregate is not read before it is written") {
    aggregate_world w;
    REQUIRE(w.send("add").get());
    const int reads = w.log.stream_reads;
    for (int i = 2; i < 50; ++i) {
        const auto reply = w.send("add").get();
        REQUIRE(reply);
        CHECK(reply->ver == static_cast<store::version>(i));
    }
    CHECK(w.log.stream_reads == reads);
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("aggregates: a refusal names its reason and writes nothing") {
    aggregate_world w;
    const auto reply = w.send("refuse").get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::command_rejected);
    CHECK(reason_of(reply) == "asked");
    CHECK(w.log.head() == 0);
    CHECK(w.log.appends == 0);
}

TEST_CASE("aggregates: a command without events answers where the stream and the log stand") {
    aggregate_world w;
    REQUIRE(w.send("add", 3).get());
    REQUIRE(w.raw(1, "other"));
    const auto reply = w.send("none").get();
    REQUIRE(reply);
    CHECK(reply->ver == 1);
    CHECK(reply->pos == 2);
    CHECK(reply->events.empty());
    CHECK(reply->result == "3");
}

TEST_CASE("aggregates: the version a client expects is checked before deciding") {
    using rule = store::expected_version::rule;
    aggregate_world w;
    const auto expecting = [&](rule what, store::version exact = 0) {
        auto cmd = w.command("add");
        cmd.cmd.expected = store::expected_version{.what = what, .exact = exact};
        return w.send(std::move(cmd)).get();
    };
    CHECK_FALSE(expecting(rule::exists));
    CHECK(expecting(rule::none));
    CHECK(expecting(rule::exists));
    CHECK(expecting(rule::exact, 2));
    CHECK(expecting(rule::any));
    const int decided = w.counter->decided;
    for (const auto& refused : {expecting(rule::exact, 3), expecting(rule::none)}) {
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == store::store_errc::version_conflict);
        CHECK(refused.error().members->at("current_version") == 4);
    }
    CHECK(w.counter->decided == decided);
}

TEST_CASE("aggregates: what waits in a lane is decided in one go and written as one append") {
    aggregate_world w;
    w.log.hold();
    std::vector<reply_box> boxes;
    boxes.push_back(w.send("add"));
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    for (int i = 0; i < 20; ++i) boxes.push_back(w.send("add"));
    w.log.release(true);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    CHECK(w.log.events_held() == 20);
    w.log.release();
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const auto reply = boxes[i].get();
        REQUIRE(reply);
        CHECK(reply->ver == i + 1);
        CHECK(reply->pos == i + 1);
        CHECK(reply->events.at(0).ver == i + 1);
        CHECK(reply->result == std::to_string(i + 1));
    }
    CHECK(w.log.appends == 2);
}

TEST_CASE("aggregates: a refusal is held until every earlier append of its lane is durable") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add", 1);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto second = w.send("add", 2);
    const auto refused = w.send("add_if_even");
    w.log.release(true);
    REQUIRE(first.get());
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    CHECK(second.empty());
    CHECK(refused.empty());
    w.log.release();
    CHECK(second.get());
    CHECK(reason_of(refused.get()) == "odd");
}

TEST_CASE("aggregates: when an append fails, what was decided on top of it is decided again") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add", 2);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto fails = w.send("add", 1);
    const auto on_top = w.send("add_if_even", 1);  // 3 is odd, so it is refused; but 3 never was
    std::atomic<bool> failed{false};
    w.log.before([&](const store::append_request&) -> std::optional<error> {
        if (failed.exchange(true)) return std::nullopt;
        return error{store::store_errc::full, "no space"};
    });
    w.log.release();
    REQUIRE(first.get());
    const auto refused = fails.get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store::store_errc::full);
    const auto again = on_top.get();
    REQUIRE(again);
    CHECK(again->result == "3");
    CHECK(w.log.head() == 2);
}

TEST_CASE("aggregates: a refusal below the append that fails stands") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add", 2);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto below = w.send("refuse");
    const auto nothing = w.send("none");
    const auto fails = w.send("add", 1);
    w.log.before(
        [](const store::append_request&) { return error{store::store_errc::unavailable, "gone"}; });
    w.log.release();
    REQUIRE(first.get());
    CHECK(reason_of(below.get()) == "asked");
    CHECK(nothing.get()->result == "2");
    CHECK(fails.get().error().code == store::store_errc::unavailable);
    w.log.before({});
    CHECK(w.send("add", 1).get()->result == "3");
}

TEST_CASE("aggregates: a version conflict is decided again on what others wrote") {
    aggregate_world w;
    REQUIRE(w.send("add", 1).get());
    std::atomic<int> times{0};
    w.log.before([&](const store::append_request&) -> std::optional<error> {
        if (times.fetch_add(1) == 0) (void)w.raw(10);
        return std::nullopt;
    });
    const auto reply = w.send("add", 1).get();
    REQUIRE(reply);
    CHECK(reply->ver == 3);
    CHECK(reply->result == "12");
    CHECK(times == 2);
}

TEST_CASE("aggregates: changed by others at every attempt, the client is told") {
    aggregate_world w{{.attempts_max = 3}};
    w.log.before([&](const store::append_request&) -> std::optional<error> {
        (void)w.raw(1);
        return std::nullopt;
    });
    const auto reply = w.send("add", 1).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == store::store_errc::version_conflict);
    CHECK(reply.error().members->at("current_version") == 3);
    CHECK(w.log.appends == 3);
}

TEST_CASE("aggregates: events that came by another way are seen by the next command") {
    aggregate_world w;
    REQUIRE(w.send("add", 1).get());
    for (int i = 1; i <= 20; ++i) {
        REQUIRE(w.raw(2));
        CHECK(w.send("none").get()->result == std::to_string(1 + 2 * i));
    }
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("aggregates: a stream longer than a page is folded whole") {
    aggregate_world w;
    std::vector<event_texts::one> many(
        1'200, {.type = "counter.added", .data = R"({"by":1})", .tags = {}});
    REQUIRE(append(*w.base.store.log, "counter-1", many));
    const auto reply = w.send("add", 1).get();
    REQUIRE(reply);
    CHECK(reply->ver == 1'201);
    CHECK(reply->result == "1201");
}

TEST_CASE("aggregates: tenants do not share an aggregate") {
    aggregate_world w;
    REQUIRE(w.send("add", 1).get());
    auto other = w.command("add", 5);
    other.cmd.who.tenant = "other";
    const auto reply = w.send(std::move(other)).get();
    CHECK(reply->ver == 1);
    CHECK(reply->result == "5");
}

TEST_CASE("aggregates: a command that has waited beyond its deadline is not decided") {
    aggregate_world w;
    auto late = w.command("add");
    late.cmd.until = monotonic::now() - 1ms;
    const auto reply = w.send(std::move(late)).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::deadline_exceeded);
    CHECK(w.counter->decided == 0);
}

TEST_CASE("aggregates: a behavior that fails costs its command, the lane lives on") {
    aggregate_world w;
    REQUIRE(w.send("add", 1).get());
    const auto* how = GENERATE("fail", "drop", "unfoldable", "nameless");
    const auto reply = w.send(how).get();
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == bus::bus_errc::handler_failed);
    CHECK(reply.error().client.find("secret") == std::string::npos);
    CHECK(w.log.head() == 1);
    CHECK(w.send("add", 1).get()->result == "2");
}

TEST_CASE("aggregates: one command that cannot be written does not fail its neighbours") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add");
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto before = w.send("add");
    const auto bad = w.send("nameless", 0);
    const auto after = w.send("add");
    w.log.release();
    CHECK(first.get());
    CHECK(before.get()->result == "2");
    CHECK(bad.get().error().code == bus::bus_errc::handler_failed);
    CHECK(after.get()->result == "3");
}

TEST_CASE("aggregates: what was decided before a failing behavior is written") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add");
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto before = w.send("add");
    const auto bad = w.send("fail");
    const auto after = w.send("add");
    w.log.release();
    CHECK(before.get()->result == "2");
    CHECK_FALSE(bad.get());
    CHECK(after.get()->result == "3");
    CHECK(w.log.head() == 3);
}

TEST_CASE("aggregates: decides that finish on other threads block no worker") {
    aggregate_world w;  // has three workers
    w.counter->later_together = 12;
    std::vector<reply_box> boxes;
    for (int i = 0; i < 12; ++i) boxes.push_back(w.send("later", 1, std::to_string(i)));
    for (auto& box : boxes) CHECK(box.get());
    // On one lane they come one after the other.
    w.counter->later_together = 0;
    std::vector<reply_box> same;
    for (int i = 0; i < 10; ++i) same.push_back(w.send("later", 1, "same"));
    for (int i = 0; i < 10; ++i) {
        CHECK(same[static_cast<std::size_t>(i)].get()->result == std::to_string(i + 1));
    }
}

TEST_CASE("aggregates: a decide that never ends holds its lane only to its deadline") {
    aggregate_world w;
    auto silent = w.command("silent");
    silent.cmd.until = monotonic::now() + 10ms;
    const auto stuck = w.send(std::move(silent));
    REQUIRE(eventually([&] {
        const std::lock_guard lock{w.counter->mutex};
        return w.counter->silent.size() == 1;
    }));
    const auto waits = w.send("add", 1);
    // The lane goes on when the next command comes after the deadline.
    REQUIRE(eventually([&] {
        const auto next = w.send("none");
        return !stuck.empty();
    }));
    CHECK(stuck.get().error().code == bus::bus_errc::deadline_exceeded);
    CHECK(waits.get()->result == "1");
    // The late answer is dropped; the state it looked at lived until then.
    const int states = w.counter->states;
    {
        const std::lock_guard lock{w.counter->mutex};
        w.counter->silent.front()(domain::decision{});
        w.counter->silent.clear();
    }
    CHECK(w.counter->states == states - 1);
    CHECK(stuck.times() == 1);
    CHECK(w.base.metrics.text().find("flexcore_aggregate_late_decides_total 1") !=
          std::string::npos);
}

TEST_CASE("aggregates: a stream its aggregate cannot fold is log_incompatible, and left alone") {
    aggregate_world w;
    REQUIRE(w.raw(1, "1", "counter.unfoldable"));
    for (int i = 0; i < 2; ++i) {
        const auto reply = w.send("add").get();
        REQUIRE_FALSE(reply);
        CHECK(reply.error().code == domain::domain_errc::log_incompatible);
    }
    CHECK(w.log.head() == 1);
    CHECK(w.counter->decided == 0);
}

TEST_CASE("aggregates: beyond lane_waiting_max a lane is busy, the others are not") {
    aggregate_world w{{.lane_waiting_max = 2}};
    w.log.hold();
    std::vector<reply_box> boxes;
    boxes.push_back(w.send("add"));
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    boxes.push_back(w.send("add"));
    boxes.push_back(w.send("add"));
    const auto refused = w.send("add").get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == bus::bus_errc::busy);
    boxes.push_back(w.send("add", 1, "2"));
    w.log.release();
    for (auto& box : boxes) CHECK(box.get());
}

TEST_CASE("aggregates: the cache is bounded in number and bytes, what was evicted is read again") {
    const auto by_number = GENERATE(true, false);
    aggregate_world w{by_number ? domain::aggregate_settings{.cached_max = 10}
                                : domain::aggregate_settings{.cached_bytes_max = 10'000}};
    for (int round = 1; round <= 2; ++round) {
        for (int i = 0; i < 100; ++i) {
            const auto reply = w.send("add", 1, std::to_string(i)).get();
            REQUIRE(reply);
            CHECK(reply->ver == static_cast<store::version>(round));
        }
    }
    CHECK(eventually([&] { return w.counter->states <= 10; }));
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("aggregates: a category that is removed drains, then refuses, and releases its states") {
    aggregate_world w;
    REQUIRE(w.send("add", 1, "idle").get());
    w.log.hold();
    const auto running = w.send("add");
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    mailbox<int> drained;
    w.runtime.remove("counter", [&] { drained.receiver()(w.counter->states.load()); });
    const auto refused = w.send("add").get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == bus::bus_errc::unavailable);
    CHECK(drained.empty());
    w.log.release();
    CHECK(running.get());
    CHECK(drained.get() == 0);
    REQUIRE(w.runtime.add({.category = "counter", .reducer_version = 1, .plugin = {}}, w.counter));
    CHECK(w.send("add").get()->ver == 2);
    const auto taken =
        w.runtime.add({.category = "counter", .reducer_version = 1, .plugin = {}}, w.counter);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == bus::bus_errc::duplicate_name);
    bool gone = false;
    w.runtime.remove("unknown", [&] { gone = true; });
    CHECK(gone);
}
