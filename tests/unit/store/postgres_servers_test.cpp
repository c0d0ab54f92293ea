// Several servers on one log, and sessions that end in the middle of a batch.
#include "contract/rules_fixture.hpp"
#include "unit/store/postgres_server.hpp"

#include <atomic>
#include <set>
#include <thread>

using namespace postgres_test;
using flexcore::test::postgres_schema;

namespace {

/// A listener that stands still at the first commit it is told of.
class held_up {
public:
    void first_time() {
        if (held_.exchange(true)) return;
        held_.notify_all();
        go_on_.wait(false);
    }
    void wait() { held_.wait(false); }
    void go_on() {
        go_on_ = true;
        go_on_.notify_all();
    }
    ~held_up() { go_on(); }

private:
    std::atomic<bool> held_{false};
    std::atomic<bool> go_on_{false};
};

}  // namespace

TEST_CASE("servers: what one writes the others are told, in order and nothing left out",
          "[postgres]") {
    const postgres_schema schema;
    shared_server one{schema, "one"};
    shared_server two{schema, "two"};
    for (int i = 0; i < 20; ++i) appended(one.log(), {.stream = "s", .events = events(3)});
    REQUIRE(two.comes_to([&] { return two.log().head() == 60; }));
    appended(two.log(), {.stream = "t", .events = events(2)});
    REQUIRE(one.comes_to([&] { return one.log().head() == 62; }));
    CHECK(one.seen() == all_up_to(62));
    CHECK(two.seen() == all_up_to(62));
    CHECK(all_positions(two.log(), {}, direction::forward, 100) == all_up_to(62));
}

TEST_CASE("servers: one that was held up passes over what others wrote in bulk, and is right again",
          "[postgres]") {
    constexpr position bulk = 17'000;
    const postgres_schema schema;
    held_up busy_at;
    std::atomic<position> passed_over{0};
    shared_server busy{schema, "one", [&](const commit& one) {
                           if (one.passed_over_to != 0) passed_over = one.passed_over_to;
                           busy_at.first_time();
                       }};
    shared_server two{schema, "two"};
    appended(two.log(), {.stream = "s"});
    busy_at.wait();
    for (position i = 0; i < bulk; i += 1'000)
        appended(two.log(), {.stream = "s", .events = events(1'000)});
    busy_at.go_on();
    REQUIRE(busy.comes_to([&] { return busy.log().head() == bulk + 1; }));
    CHECK(passed_over == bulk + 1);
    CHECK(busy.seen() == all_up_to(1));
    CHECK(all_positions(busy.log(), {}, direction::forward, 1'000) == all_up_to(bulk + 1));
    // It had known the stream at version 1.
    appended(busy.log(), {.stream = "s", .expected = at(bulk + 1)});
    REQUIRE(two.comes_to([&] { return two.log().head() == bulk + 2; }));
}

TEST_CASE("servers: the end of the log is known before its events are", "[postgres]") {
    const postgres_schema schema;
    held_up busy_at;
    shared_server busy{schema, "one", [&](const commit&) { busy_at.first_time(); }};
    shared_server two{schema, "two"};
    appended(two.log(), {.stream = "s"});
    busy_at.wait();
    appended(two.log(), {.stream = "s", .events = events(2)});
    CHECK(busy.log().head() <= 1);
    CHECK(value(busy.log().end()) == 3);
    busy_at.go_on();
}

TEST_CASE("servers: what another has written counts at once", "[postgres]") {
    const postgres_schema schema;
    shared_server one{schema, "one"};
    shared_server two{schema, "two"};
    appended(one.log(), {.stream = "s"});
    appended(two.log(), {.stream = "s", .expected = at(1)});
    // Each believes now to know the stream.
    appended(one.log(), {.stream = "s", .expected = at(2)});
    const auto late = append(two.log(), {.stream = "s", .expected = at(2)});
    REQUIRE_FALSE(late);
    CHECK(late.error().code == store_errc::version_conflict);
    CHECK(late.error().members->at("current_version") == 3);
    appended(two.log(), {.stream = "s", .expected = at(3)});
    // A refusal counts against what is there, too.
    const auto none_there = append(one.log(), {.stream = "s", .expected = at(4), .events = {}});
    CHECK(none_there);
    appended(two.log(), {.stream = "fresh", .expected = none});
    CHECK_FALSE(append(one.log(), {.stream = "fresh", .expected = none}));
}

TEST_CASE("servers: ids and keys of another are known", "[postgres]") {
    const postgres_schema schema;
    shared_server one{schema, "one"};
    shared_server two{schema, "two"};
    appended(two.log(), {.stream = "other"});
    const request once{.appends = {{.stream = "s", .events = events_with_ids(3)}},
                       .keys = {{.name = "k", .answer = "first"}}};
    const auto first = appended(one.log(), once);
    auto repeated = once;
    repeated.keys.clear();
    const auto again = appended(two.log(), repeated);
    CHECK(again.repeated);
    CHECK(again.pos == first.pos);
    CHECK(appended(two.log(), {.appends = {{.stream = "t"}}, .keys = {{.name = "k"}}})
              .stored_answer == "first");
    auto overlapping = events_with_ids(1);
    overlapping.push_back(once.appends[0].events[0]);
    const auto conflict = append(two.log(), {.stream = "u", .events = overlapping});
    REQUIRE_FALSE(conflict);
    CHECK(conflict.error().code == store_errc::event_id_conflict);
}

TEST_CASE("servers: rules that another has set hold", "[postgres]") {
    const postgres_schema schema;
    shared_server one{schema, "one"};
    shared_server two{schema, "two"};
    appended(one.log(), {.stream = "s", .events = events(5)});
    appended(two.log(), {.stream = "s"});
    const auto change = [](event_log& log, stream_change what) {
        append_request made;
        made.tenant = tenant;
        made.change = what;
        std::promise<result<append_outcome>> promise;
        log.append(std::move(made),
                   [&](result<append_outcome> answer) { promise.set_value(std::move(answer)); });
        return promise.get_future().get();
    };
    value(change(one.log(), {.stream = "s",
                             .what = stream_change::kind::settings,
                             .settings = {.truncate_before = 4}}));
    CHECK(versions(*value(two.log().read_stream(tenant, "s", 0, 10, direction::forward)).batch) ==
          std::vector<version>{4, 5, 6});
    value(change(one.log(), {.stream = "s", .what = stream_change::kind::tombstone}));
    const auto gone = append(two.log(), {.stream = "s"});
    REQUIRE_FALSE(gone);
    CHECK(gone.error().code == store_errc::stream_deleted);
    REQUIRE(two.comes_to([&] { return two.log().retains(tenant); }));
}

TEST_CASE("servers: a repeated append tells how a stream stood that has been reclaimed since",
          "[postgres]") {
    const postgres_schema schema;
    shared_server one{schema, "one"};
    appended(one.log(), {.stream = "s", .events = events(3)});
    const request first{.appends = {{.stream = "t", .events = events_with_ids(2)},
                                    {.stream = "s", .expected = at(3), .events = {}},
                                    {.stream = "u", .expected = none, .events = {}}}};
    const auto told = appended(one.log(), first);
    REQUIRE(told.appends.at(1).last_version == 3);
    REQUIRE(told.appends.at(2).last_version == 0);
    appended(one.log(), {.stream = "s", .events = events(3)});
    appended(one.log(), {.stream = "u", .events = events(2)});
    value(set(one.log(), "s", {.truncate_before = 4}));
    const auto give_up = monotonic::now() + std::chrono::minutes{1};
    while (one.metrics.text().find("flexcore_store_reclaimed_events_total 3") ==
           std::string::npos) {
        REQUIRE(monotonic::now() < give_up);
        std::this_thread::yield();
    }
    const auto again = appended(one.log(), first);
    CHECK(again.repeated);
    CHECK(again.appends.at(1).last_version == 3);
    CHECK(again.appends.at(2).last_version == 0);
}

TEST_CASE("servers: reclaiming reads of a stream little beyond what it removes", "[postgres]") {
    const postgres_schema schema;
    {
        shared_server one{schema, "one"};
        for (const auto* name : {"r", "s"}) {
            appended(one.log(), {.stream = name, .events = events(1'000)});
            value(set(one.log(), name, {.max_count = 1'000}));
        }
    }
    // The first to be removed makes the step lock the head, which must not change how it looks at
    // those behind it.
    schema.ask(
        "UPDATE stream_rules SET max_count = 990 WHERE stream ="
        " (SELECT id FROM streams WHERE name = 'r')");
    const std::string step =
        "SET enable_seqscan TO off; SET enable_bitmapscan TO off; BEGIN;"
        "CREATE TEMP TABLE done ON COMMIT DROP AS SELECT * FROM reclaim_step(0, 1, 1, 100, 200);";
    CHECK(schema.ask(step + "SELECT removed FROM done") ==
          std::vector<std::vector<std::string>>{{"10"}});
    const auto read = schema.ask(step +
                                 "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
                                 " WHERE relname = 'events' AND schemaname = current_schema()");
    // PL/pgSQL fetches up to 50 rows ahead.
    CHECK(std::stoi(read.at(0).at(0)) < 200);
}

TEST_CASE("servers: of those who write at once one wins each version, and no position is left out",
          "[postgres]") {
    constexpr version wanted = 60;
    const postgres_schema schema;
    shared_server one{schema, "one"};
    shared_server two{schema, "two"};
    shared_server three{schema, "three"};
    std::atomic<std::uint64_t> won{0};
    const auto race = [&](shared_server& in) {
        for (const char* stream : {"a", "b", "c"}) {
            version known = 0;
            while (known < wanted) {
                const auto done = append(in.log(), {.stream = stream, .expected = at(known)});
                if (done) {
                    ++won;
                    ++known;
                } else if (done.error().code == store_errc::version_conflict) {
                    known = static_cast<version>(
                        done.error().members->at("current_version").to_number<std::uint64_t>());
                } else {
                    fail_with(done.error());
                }
            }
        }
    };
    {
        std::vector<std::jthread> all;
        for (auto* in : {&one, &two, &three}) all.emplace_back([&, in] { race(*in); });
    }
    const position last = won;
    CHECK(last == 3 * wanted);
    for (auto* in : {&one, &two, &three}) {
        REQUIRE(in->comes_to([&] { return in->log().head() == last; }));
        CHECK(in->seen() == all_up_to(last));
    }
}

TEST_CASE("writer: sessions that end in the middle lose nothing and double nothing", "[postgres]") {
    constexpr std::size_t appenders = 4;
    constexpr std::size_t each = 150;
    const postgres_schema schema;
    const std::string name = "cut" + std::to_string(::getpid());
    shared_server in{schema, name};
    constexpr std::size_t answers_between_cuts = 20;
    std::atomic<std::size_t> answered{0};
    std::mutex mutex;
    std::set<uuid> told;
    std::set<uuid> open;
    {
        std::jthread cutter{[&] {
            for (std::size_t next = 0; next < appenders * each; next += answers_between_cuts) {
                for (auto now = answered.load(); now < next; now = answered.load())
                    answered.wait(now);
                schema.ask(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "application_name = '" +
                    name + "'");
            }
        }};
        std::vector<std::jthread> all;
        for (std::size_t i = 0; i < appenders; ++i) {
            all.emplace_back([&, i] {
                for (std::size_t n = 0; n < each; ++n) {
                    auto one = events_with_ids(2);
                    const auto answer =
                        append(in.log(), {.stream = "s" + std::to_string(i), .events = one});
                    ++answered;
                    answered.notify_one();
                    const std::lock_guard lock{mutex};
                    for (const auto& event : one) (answer ? told : open).insert(event.id);
                }
            });
        }
    }
    in.close();
    shared_server after{schema, "after"};
    std::set<uuid> found;
    position last = 0;
    for (position from = 0;;) {
        const auto page = value(after.log().read_log({}, from, 1000, direction::forward));
        for (const auto& event : page.batch->events) {
            CHECK(event.pos == last + 1);
            last = event.pos;
            CHECK(found.insert(event.id).second);
        }
        from = page.scanned_to;
        if (page.at_end) break;
    }
    CHECK(told.size() > each);  // it got on
    for (const auto& id : told) CHECK(found.contains(id));
    for (const auto& id : found) CHECK((told.contains(id) || open.contains(id)));
}
