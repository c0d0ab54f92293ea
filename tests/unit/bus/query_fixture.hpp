// Queries for tests: handlers that do what the test says, over the memory store's rows.
#pragma once

#include "bus/query_bus.hpp"
#include "unit/bus/fixture.hpp"

namespace flexcore::test {

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
    void when_reached(const std::vector<std::string>&, store::position, deadline latest,
                      std::move_only_function<void(bool)> done) override {
        const std::lock_guard lock{mutex};
        until = latest;
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
    deadline until{};  ///< of the last wait, under mutex
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

    /// [any thread]
    void put(const std::string& key, const std::string& json, bool bump = true) {
        auto rows = store.views->begin(generation.id, checkpoint);
        if (!rows) throw std::runtime_error{rows.error().client};
        ++checkpoint;
        auto ok = (*rows)->put("default", "items", key, json, checkpoint);
        if (ok) ok = (*rows)->commit(checkpoint);
        if (!ok) throw std::runtime_error{ok.error().client};
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
        const auto added = queries.add(std::move(about), handler);
        REQUIRE(added);
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

}  // namespace flexcore::test
