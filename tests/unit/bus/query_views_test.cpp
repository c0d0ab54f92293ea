// What a query's handler reads, and what its answer therefore depends on.
#include "unit/bus/query_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

TEST_CASE("queries: a row that comes into being ends an answer that missed it") {
    query_world w;
    w.add({}, [](const bus::query&, bus::query_views& views, done_function done) {
        done(*views.get("items", "1") ? "true" : "false");
    });
    CHECK((*w.ask().get())->body == R"({"data":false,"position":0})");
    w.put("1", "{}");
    CHECK((*w.ask().get())->body == R"({"data":true,"position":1})");
}

TEST_CASE("queries: a scan depends on its whole model and reflects its last change") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto handler = w.add({}, [](const bus::query&, bus::query_views& views, done_function done) {
        store::scan_query all;
        all.order = {{.field = "n", .descending = true}};
        const auto page = views.scan("items", all);
        done(page ? std::to_string(page->rows.size()) : "null");
    });
    CHECK((*w.ask().get())->body == R"({"data":1,"position":1})");
    w.put("2", R"({"n":2})");
    CHECK((*w.ask().get())->body == R"({"data":2,"position":2})");
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: a change between the handler's reads and its answer is not cached over") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto handler = w.add({}, [&](const bus::query&, bus::query_views& views, done_function done) {
        auto row = views.get("items", "1");
        if (w.checkpoint == 1) w.put("1", R"({"n":2})");
        done((*row)->json);
    });
    CHECK((*w.ask().get())->body == R"({"data":{"n":1},"position":1})");
    CHECK((*w.ask().get())->body == R"({"data":{"n":2},"position":2})");
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: the reads of a handler see one moment") {
    query_world w;
    w.put("1", R"({"n":1})");
    w.add({}, [&](const bus::query&, bus::query_views& views, done_function done) {
        const auto first = views.get("items", "1");
        w.put("1", R"({"n":2})", false);
        const auto second = views.get("items", "1");
        done((*first)->json == (*second)->json ? "true" : "false");
    });
    CHECK((*w.ask().get())->body.starts_with(R"({"data":true)"));
}

TEST_CASE("queries: a handler that reads later is run again when the rows have moved") {
    query_world w;
    w.put("1", R"({"n":1})");
    std::vector<std::thread> threads;
    std::mutex mutex;
    auto handler = w.add({}, [&](const bus::query&, bus::query_views& views, done_function done) {
        auto first = views.get("items", "1");
        const std::lock_guard lock{mutex};
        threads.emplace_back(
            [&w, &views, first = std::move(first), done = std::move(done)]() mutable {
                if (w.checkpoint == 1) w.put("1", R"({"n":2})");
                const auto second = views.get("items", "1");
                if (!second) return done(std::unexpected{second.error()});
                done((*first)->json == (*second)->json ? (*second)->json : "\"torn\"");
            });
    });
    CHECK((*w.ask().get())->body == R"({"data":{"n":2},"position":2})");
    CHECK(handler->runs == 2);
    // The handler may still be putting its last thread there.
    std::vector<std::thread> begun;
    {
        const std::lock_guard lock{mutex};
        begun.swap(threads);
    }
    for (auto& thread : begun) thread.join();
}

TEST_CASE("queries: what a handler makes of a failed read is not cached") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto handler = w.add({}, [](const bus::query&, bus::query_views& views, done_function done) {
        const bool there = views.get("items", "1").has_value();
        store::scan_query astray;
        astray.after = "no cursor";
        const auto page = views.scan("items", astray);
        done(there && !page ? "[]" : "null");
    });
    CHECK((*w.ask().get())->body == R"({"data":[],"position":1})");
    CHECK((*w.ask().get())->body == R"({"data":[],"position":1})");
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: a model that is not declared is refused to the handler") {
    query_world w;
    w.add({}, [](const bus::query&, bus::query_views& views, done_function done) {
        const auto row = views.get("hidden", "1");
        done(!row && row.error().code == store::store_errc::unknown_model ? "true" : "false");
    });
    CHECK((*w.ask().get())->body.starts_with(R"({"data":true)"));
}

TEST_CASE("queries: a later read that may see a commit before it is counted is run again") {
    query_world w;
    w.put("1", R"({"n":1})");
    const auto row = bus::change_counters::row_slot("default", "items", "1");
    const auto model = bus::change_counters::model_slot("default", "items");
    std::vector<std::thread> threads;
    std::mutex mutex;
    auto handler = w.add({}, [&](const bus::query&, bus::query_views& views, done_function done) {
        const bool announced_before = w.changes.changing(row);
        auto first = views.get("items", "1");
        const std::lock_guard lock{mutex};
        threads.emplace_back([&w, &views, row, model, announced_before, first = std::move(first),
                              done = std::move(done)]() mutable {
            const bool between = w.checkpoint == 1;
            if (between) {
                // The projector stands between its commit and its bump.
                if (!announced_before) w.changes.announce(row);
                w.put("1", R"({"n":2})", false);
            }
            const auto second = views.get("items", "1");
            if (between) {
                w.changes.bump(row);
                w.changes.bump(model);
            }
            if (!second) return done(std::unexpected{second.error()});
            done((*first)->json == (*second)->json ? (*second)->json : "\"torn\"");
        });
    });
    // Announced before the first read or after it.
    if (GENERATE(true, false)) w.changes.announce(row);
    CHECK((*w.ask().get())->body == R"({"data":{"n":2},"position":2})");
    CHECK(handler->runs == 2);
    std::vector<std::thread> begun;
    {
        const std::lock_guard lock{mutex};
        begun.swap(threads);
    }
    for (auto& thread : begun) thread.join();
}
