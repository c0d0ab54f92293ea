#include "bus/query_bus.hpp"

#include "unit/bus/fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

namespace {

using answer_ptr = std::shared_ptr<const bus::query_answer>;
using answer_box = mailbox<result<answer_ptr>>;
using done_function = std::move_only_function<void(result<std::string>)>;

/// Runs what the test says; counts.
class scripted_handler final : public bus::query_handler {
public:
    using script = std::function<void(const bus::query&, bus::query_views&, done_function)>;
    explicit scripted_handler(script s) : script_{std::move(s)} {}
    void handle(const bus::query& q, bus::query_views& views, done_function done) override {
        runs.fetch_add(1);
        script_(q, views, std::move(done));
    }
    std::atomic<int> runs{0};

private:
    script script_;
};

class set_progress final : public bus::read_model_progress {
public:
    store::position reached(const std::vector<std::string>&) const override { return at.load(); }
    void when_reached(const std::vector<std::string>&, store::position, deadline,
                      std::move_only_function<void(bool)> done) override {
        const std::lock_guard lock{mutex};
        waiting = std::move(done);
    }
    void answer(bool how) {
        REQUIRE(eventually([&] {
            const std::lock_guard lock{mutex};
            return static_cast<bool>(waiting);
        }));
        auto done = std::move(waiting);
        done(how);
    }
    std::atomic<store::position> at{100};
    std::mutex mutex;
    std::move_only_function<void(bool)> waiting;
};

struct query_world : world {
    bus::change_counters changes;
    bus::allow_all everybody;
    set_progress progress;
    bus::query_bus queries;
    store::generation generation;
    store::position checkpoint = 0;

    explicit query_world(bus::query_settings settings = {})
        : queries{settings, *store.views, progress, changes, everybody, workers, timers, metrics} {
        auto made = store.views->create(
            "p", 1, {{.name = "items", .indexed = {"n"}}, {.name = "hidden", .indexed = {}}});
        REQUIRE(made);
        generation = *made;
    }
    ~query_world() { stop(); }

    void put(const std::string& key, const std::string& json, bool bump = true) {
        auto rows = store.views->begin(generation.id, checkpoint);
        REQUIRE(rows);
        ++checkpoint;
        REQUIRE((*rows)->put("default", "items", key, json, checkpoint));
        REQUIRE((*rows)->commit(checkpoint));
        if (bump) this->bump(key);
    }
    void bump(const std::string& key) {
        changes.bump(bus::change_counters::row_slot("default", "items", key));
        changes.bump(bus::change_counters::model_slot("default", "items"));
    }

    std::shared_ptr<scripted_handler> add(bus::query_descriptor about,
                                          scripted_handler::script script) {
        auto handler = std::make_shared<scripted_handler>(std::move(script));
        if (about.name.empty()) about.name = "q.item";
        if (about.reads.empty()) about.reads = {"items"};
        REQUIRE(queries.add(std::move(about), handler));
        return handler;
    }
    /// Answers the row under key "1", or not_found.
    std::shared_ptr<scripted_handler> add_get(bus::query_descriptor about = {}) {
        return add(std::move(about),
                   [](const bus::query&, bus::query_views& views, done_function done) {
                       auto row = views.get("items", "1");
                       if (!row) return done(std::unexpected{row.error()});
                       if (!*row) return done(fail(bus::bus_errc::not_found, "no such item"));
                       done((*row)->json);
                   });
    }
    answer_box ask(bus::query q) {
        if (q.name.empty()) q.name = "q.item";
        answer_box box;
        queries.ask(std::move(q), box.receiver());
        return box;
    }
    answer_box ask() { return ask(bus::query{}); }
};

}  // namespace

TEST_CASE("queries: an answer has its data, the position it reflects and an etag over the data") {
    query_world w;
    w.put("0", "{}");
    w.put("1", R"({"n":1.0})");
    auto handler = w.add_get();
    const auto answer = w.ask().get();
    REQUIRE(answer);
    CHECK((*answer)->body == R"({"data":{"n":1.0},"position":2})");
    CHECK((*answer)->pos == 2);
    CHECK((*answer)->etag.size() == 34);
    CHECK((*answer)->etag.front() == '"');

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
    for (auto& thread : threads) thread.join();
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
    CHECK(boost::json::serialize(refused.error().members->at("errors")).find("\"/limit\"") !=
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
    std::vector<done_function> kept;
    w.add({.name = "q.silent", .plugin = {}, .description = {}, .params_schema = {}, .reads = {}},
          [&](const bus::query&, bus::query_views&, done_function done) {
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
    for (auto& done : kept) done("1");
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
