#include "unit/bus/query_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

TEST_CASE("queries: an answer has its data, the position it reflects and an etag over the data") {
    query_world w;
    w.put("0", "{}");
    w.put("1", R"({"n":1.0})");
    auto handler = w.add_get();
    const auto answer = w.ask().get();
    REQUIRE(answer);
    CHECK((*answer)->body == R"({"data":{"n":1.0},"position":2})");
    CHECK((*answer)->pos == 2);
    CHECK((*answer)->etag.size() == 36);
    CHECK((*answer)->etag.starts_with("W/\""));

    w.put("1", R"({"n":1.0})");
    const auto same = w.ask().get();
    CHECK((*same)->pos == 3);
    CHECK((*same)->etag == (*answer)->etag);
    w.put("1", R"({"n":2})");
    CHECK((*w.ask().get())->etag != (*answer)->etag);
}

TEST_CASE("queries: a hit is answered inside the call and runs no handler") {
    query_world w;
    w.put("1", "{}");
    auto handler = w.add_get();
    REQUIRE(w.ask().get());
    const auto hit = w.ask();
    CHECK_FALSE(hit.empty());
    CHECK(handler->runs == 1);
    CHECK(w.metrics.text().find(R"(flexcore_queries_total{outcome="cached",query="q.item"} 1)") !=
          std::string::npos);
}

TEST_CASE("queries: changes of other rows leave an answer in the cache, its own does not") {
    query_world w;
    w.put("1", "{}");
    auto handler = w.add_get();
    REQUIRE(w.ask().get());
    w.put("2", "{}");
    REQUIRE(w.ask().get());
    CHECK(handler->runs == 1);
    w.put("1", R"({"n":2})");
    CHECK((*w.ask().get())->body == R"({"data":{"n":2},"position":3})");
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: parameters are checked, and equal ones share an answer") {
    query_world w;
    w.put("1", "{}");
    auto checked = schema::compile(
        R"({"type":"object","properties":{"limit":{"type":"integer"},"a":{}},"additionalProperties":false})");
    REQUIRE(checked);
    auto handler = w.add_get(
        {.name = {}, .plugin = {}, .description = {}, .params_schema = *checked, .reads = {}});
    bus::query bad;
    bad.params = R"({"limit":"x"})";
    const auto refused = w.ask(bad).get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == bus::bus_errc::validation_failed);
    CHECK(boost::json::serialize(refused.error().members->at("errors")).find("\"/params/limit\"") !=
          std::string::npos);

    bus::query one;
    one.params = R"({"limit":1,"a":2})";
    bus::query two;
    two.params = R"({ "a":2, "limit" : 1})";
    const auto first = w.ask(one).get();
    REQUIRE(first);
    CHECK(*w.ask(two).get() == *first);
    CHECK_FALSE(w.ask(two).empty());
    CHECK(handler->runs == 1);
}

TEST_CASE("queries: tenants never share an answer, principals only when the query says so") {
    query_world w;
    auto plain = w.add(
        {.name = "q.plain", .plugin = {}, .description = {}, .params_schema = {}, .reads = {}},
        [](const bus::query& q, bus::query_views&, done_function done) {
            done('"' + q.who.tenant + q.who.principal + '"');
        });
    auto varying = w.add({.name = "q.varying",
                          .plugin = {},
                          .description = {},
                          .params_schema = {},
                          .reads = {},
                          .varies_by_principal = true},
                         [](const bus::query& q, bus::query_views&, done_function done) {
                             done('"' + q.who.tenant + q.who.principal + '"');
                         });
    const auto ask = [&](const std::string& name, const std::string& tenant,
                         const std::string& principal) {
        bus::query q;
        q.name = name;
        q.who.tenant = tenant;
        q.who.principal = principal;
        const auto body = (*w.ask(q).get())->body;
        return body.substr(9, body.find('"', 9) - 9);
    };
    CHECK(ask("q.plain", "a", "x") == "ax");
    CHECK(ask("q.plain", "a", "y") == "ax");
    CHECK(ask("q.plain", "b", "y") == "by");
    CHECK(plain->runs == 2);
    CHECK(ask("q.varying", "a", "x") == "ax");
    CHECK(ask("q.varying", "a", "y") == "ay");
    CHECK(ask("q.varying", "a", "y") == "ay");
    CHECK(varying->runs == 2);
}

TEST_CASE("queries: one that must not be cached runs each time") {
    query_world w;
    w.put("1", "{}");
    auto handler = w.add_get({.name = {},
                              .plugin = {},
                              .description = {},
                              .params_schema = {},
                              .reads = {},
                              .varies_by_principal = false,
                              .cache = false});
    REQUIRE(w.ask().get());
    REQUIRE(w.ask().get());
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: nothing found is not_found, and not cached") {
    query_world w;
    auto handler = w.add_get();
    for (int i = 0; i < 2; ++i) {
        const auto answer = w.ask().get();
        REQUIRE_FALSE(answer);
        CHECK(answer.error().code == bus::bus_errc::not_found);
    }
    CHECK(handler->runs == 2);
}

TEST_CASE("queries: min_position waits for the read model, also in front of the cache") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto handler = w.add_get();
    REQUIRE(w.ask().get());

    bus::query q;
    q.min_position = 200;
    const auto waits = w.ask(q);
    CHECK(waits.empty());
    w.put("1", R"({"n":2})");
    w.progress.at = 200;
    w.progress.answer(true);
    CHECK((*waits.get())->body == R"({"data":{"n":2},"position":2})");
    CHECK_FALSE(w.ask(q).empty());

    q.min_position = 300;
    const auto behind = w.ask(q);
    w.progress.answer(false);
    const auto answer = behind.get();
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == bus::bus_errc::read_model_behind);
    CHECK(answer.error().members->at("position") == 200);
}

TEST_CASE("queries: the wait for a position is not cut short by the time a handler has") {
    query_world w{{.timeout = 20ms}};
    w.put("1", R"({"n":1})");
    auto handler = w.add_get();
    bus::query q;
    q.min_position = 200;
    q.wait = 30s;
    const auto begun = monotonic::now();
    const auto waits = w.ask(q);
    {
        const std::lock_guard lock{w.progress.mutex};
        CHECK(w.progress.until >= begun + 30s);
    }
    w.progress.at = 200;
    w.progress.answer(true);
    CHECK(waits.get());
}

TEST_CASE("queries: equal ones that wait for a worker run once") {
    query_world w;
    w.put("1", "{}");
    auto handler = w.add_get();
    // All workers are held, so that the queries gather.
    std::mutex hold;
    std::unique_lock held{hold};
    std::atomic<int> waiting{0};
    for (int i = 0; i < 3; ++i) {
        w.workers.post([&] {
            waiting.fetch_add(1);
            const std::lock_guard lock{hold};
        });
    }
    REQUIRE(eventually([&] { return waiting == 3; }));
    std::vector<answer_box> boxes;
    for (int i = 0; i < 20; ++i) {
        bus::query q;
        q.params = i % 2 == 0 ? "{}" : "{ }";
        boxes.push_back(w.ask(q));
    }
    held.unlock();
    for (auto& box : boxes) CHECK(box.get());
    CHECK(handler->runs == 1);
}

TEST_CASE("queries: a handler that never answers costs its client the deadline, nothing else") {
    query_world w{{.timeout = 20ms}};
    std::mutex mutex;
    std::vector<done_function> kept;
    w.add({.name = "q.silent", .plugin = {}, .description = {}, .params_schema = {}, .reads = {}},
          [&](const bus::query&, bus::query_views&, done_function done) {
              const std::lock_guard lock{mutex};
              kept.push_back(std::move(done));
          });
    w.add({.name = "q.lost", .plugin = {}, .description = {}, .params_schema = {}, .reads = {}},
          [&](const bus::query&, bus::query_views&, done_function) {});
    bus::query q;
    q.name = "q.silent";
    const auto silent = w.ask(q).get();
    REQUIRE_FALSE(silent);
    CHECK(silent.error().code == bus::bus_errc::deadline_exceeded);
    q.name = "q.lost";
    q.until = monotonic::now() + patience;
    const auto lost = w.ask(q).get();
    REQUIRE_FALSE(lost);
    CHECK(lost.error().code == bus::bus_errc::handler_failed);
    REQUIRE(eventually([&] {
        const std::lock_guard lock{mutex};
        return kept.size() == 1;
    }));
    kept.front()("1");
}

TEST_CASE("queries: beyond in_flight_max the answer is busy") {
    query_world w{{.in_flight_max = 1}};
    mailbox<bool> begun;
    done_function kept;
    w.add({.name = {},
           .plugin = {},
           .description = {},
           .params_schema = {},
           .reads = {},
           .varies_by_principal = false,
           .cache = false},
          [&](const bus::query&, bus::query_views&, done_function done) {
              kept = std::move(done);
              begun.receiver()(true);
          });
    const auto first = w.ask();
    REQUIRE(begun.get());
    const auto second = w.ask().get();
    REQUIRE_FALSE(second);
    CHECK(second.error().code == bus::bus_errc::busy);
    kept("1");
    CHECK(first.get());
}

TEST_CASE("queries: a query that is withdrawn takes its cached answers with it") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto old = w.add_get();
    REQUIRE(w.ask().get());
    const auto taken = w.queries.add(
        {.name = "q.item", .plugin = {}, .description = {}, .params_schema = {}, .reads = {}}, old);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == bus::bus_errc::duplicate_name);
    w.queries.remove("q.item");
    CHECK(w.ask().get().error().code == bus::bus_errc::unknown_query);
    auto fresh = w.add_get();
    REQUIRE(w.ask().get());
    CHECK(fresh->runs == 1);
    CHECK(w.queries.catalogue().size() == 1);
    CHECK(w.queries.find("q.item"));
}

TEST_CASE("queries: while rows change, nobody ever gets an answer older than what he has seen") {
    query_world w;
    w.put("1", R"({"n":1})");
    auto handler = w.add_get();
    std::atomic<bool> over{false};
    std::atomic<store::position> committed{1};
    std::vector<std::thread> readers;
    std::atomic<int> stale{0};
    for (int t = 0; t < 2; ++t) {
        readers.emplace_back([&] {
            while (!over) {
                const auto at_least = committed.load();
                const auto answer = w.ask().get();
                if (!answer || (*answer)->pos < at_least) stale.fetch_add(1);
            }
        });
    }
    for (int i = 2; i < 500; ++i) {
        w.put("1", R"({"n":)" + std::to_string(i) + "}");
        committed = w.checkpoint;
    }
    over = true;
    for (auto& reader : readers) reader.join();
    CHECK(stale == 0);
}
