// What a projection must never do: lose rows to a failing store, or go back in what it shows.
#include "domain/projection_runner.hpp"

#include "unit/bus/fixture.hpp"

#include <limits>

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

namespace {

const std::vector<store::model_spec> items{{.name = "items", .indexed = {}}};

/// The read models of another store; writes fail as often as is told.
class failing_views final : public store::view_store {
public:
    explicit failing_views(store::view_store& under) : under_{under} {}
    std::atomic<int> failures{0};
    std::atomic<int> creates_to_fail{0};
    std::function<void()> committed = [] {};  ///< the projector's, before it is told

    result<std::vector<store::generation>> generations() override { return under_.generations(); }
    result<store::generation> create(std::string_view projection, std::uint32_t version,
                                     const std::vector<store::model_spec>& models) override {
        if (creates_to_fail > 0) {
            --creates_to_fail;
            return fail(store::store_errc::full, "no space");
        }
        return under_.create(projection, version, models);
    }
    result<void> serve(store::generation_id id) override {
        auto done = under_.serve(id);
        committed();
        return done;
    }
    result<void> drop(store::generation_id id) override { return under_.drop(id); }
    result<void> set_paused(std::string_view projection, bool paused) override {
        return under_.set_paused(projection, paused);
    }
    result<void> set_stopped(store::generation_id id, std::string_view why) override {
        return under_.set_stopped(id, why);
    }
    result<std::unique_ptr<store::view_transaction>> begin(store::generation_id id,
                                                           store::position expected) override {
        auto begun = under_.begin(id, expected);
        if (!begun) return begun;
        return std::make_unique<transaction>(std::move(*begun), *this);
    }
    result<std::unique_ptr<store::view_reader>> read() override { return under_.read(); }
    void stop() override { under_.stop(); }

private:
    class transaction final : public store::view_transaction {
    public:
        transaction(std::unique_ptr<store::view_transaction> under, failing_views& home)
            : under_{std::move(under)}, home_{home} {}
        result<std::optional<store::row>> get(std::string_view tenant, std::string_view model,
                                              std::string_view key) override {
            return under_->get(tenant, model, key);
        }
        result<store::row_page> scan(std::string_view tenant, std::string_view model,
                                     const store::scan_query& query) override {
            return under_->scan(tenant, model, query);
        }
        result<store::position> changed_at(std::string_view model) override {
            return under_->changed_at(model);
        }
        result<void> put(std::string_view tenant, std::string_view model, std::string_view key,
                         std::string_view json, store::position pos) override {
            if (home_.failures > 0) {
                --home_.failures;
                return fail(store::store_errc::unavailable, "the disk is away");
            }
            return under_->put(tenant, model, key, json, pos);
        }
        result<void> remove(std::string_view tenant, std::string_view model, std::string_view key,
                            store::position pos) override {
            return under_->remove(tenant, model, key, pos);
        }
        result<void> commit(store::position to) override {
            auto done = under_->commit(to);
            home_.committed();
            return done;
        }

    private:
        const std::unique_ptr<store::view_transaction> under_;
        failing_views& home_;
    };

    store::view_store& under_;
};

/// One row per event, under the name of its stream. Never looks at what a write answers.
class careless final : public domain::projection_behavior {
public:
    std::function<void()> before_apply = [] {};
    void apply(std::string_view, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline,
               std::move_only_function<void(result<void>)> done) override {
        before_apply();
        for (const auto& event : events) {
            (void)views.put("items", event.stream, event.data, event.pos);
        }
        done({});
    }
};

struct projection_world : world {
    bus::change_counters changes;
    failing_views views{*store.views};
    domain::projection_runner runner{
        {.apply_timeout = 10s, .retry_delay = 1ms, .retry_delay_max = 5ms, .rebuild_batch_max = 6},
        *store.log,
        views,
        *events,
        changes,
        metrics,
        health};
    std::shared_ptr<careless> behavior = std::make_shared<careless>();

    ~projection_world() {
        runner.stop();
        stop();
    }
    void fill(int count) {
        for (int i = 1; i <= count; ++i) {
            REQUIRE(append(*store.log, "s-" + std::to_string(i), {{"t", R"({"n":1})", {}}}));
        }
    }
    void begin(std::uint32_t version) {
        domain::projection_spec spec;
        spec.name = "p";
        spec.version = version;
        spec.batch_max = 6;
        spec.models = items;
        REQUIRE(runner.add(std::move(spec), behavior));
        runner.start();
    }
    /// A serving generation of version 1 that stands at `checkpoint`.
    void left_by_earlier(store::position checkpoint) {
        const auto made = store.views->create("p", 1, items);
        REQUIRE(made);
        auto rows = store.views->begin(made->id, 0);
        REQUIRE(rows);
        REQUIRE((*rows)->commit(checkpoint));
    }
    [[nodiscard]] store::position reached() const { return runner.reached({"items"}); }
    [[nodiscard]] bool has(const std::string& key) {
        auto reader = store.views->read();
        if (!reader) return false;
        const auto row = (*reader)->get("default", "items", key);
        return row && *row;
    }
};

}  // namespace

TEST_CASE("projections: a failing store costs no row, also when the behavior passes over it") {
    projection_world w;
    w.fill(5);
    w.views.failures = 3;
    w.begin(1);
    REQUIRE(eventually([&] { return w.reached() == 5; }));
    for (int i = 1; i <= 5; ++i) CHECK(w.has("s-" + std::to_string(i)));
    const auto status = w.runner.status("p");
    REQUIRE(status);
    CHECK(status->poison == 0);
    CHECK(status->error.empty());
}

TEST_CASE("projections: one that stood beyond the log can be waited for again when it is rebuilt") {
    projection_world w;
    w.left_by_earlier(100);
    w.fill(2);
    w.begin(1);
    CHECK(eventually([&] { return w.reached() == 2; }));
    CHECK(w.has("s-2"));
}

TEST_CASE("projections: a rebuild for another version is not switched in behind the old rows") {
    projection_world w;
    w.fill(10);
    w.left_by_earlier(10);
    auto lowest = std::numeric_limits<store::position>::max();  // the projector's
    w.behavior->before_apply = [&] { lowest = std::min(lowest, w.reached()); };
    w.begin(2);
    REQUIRE(eventually([&] { return w.has("s-10"); }));
    w.runner.stop();
    CHECK(lowest == 10);
}

TEST_CASE("projections: what a commit changes is announced before it and counted after it") {
    projection_world w;
    const auto slot = bus::change_counters::row_slot("default", "items", "s-1");
    const auto other = bus::change_counters::row_slot("default", "items", "s-2");
    int announced = 0;
    int others = 0;
    w.views.committed = [&] {
        if (w.changes.changing(slot)) ++announced;
        if (w.changes.changing(other)) ++others;
    };
    w.fill(1);
    w.begin(1);
    REQUIRE(eventually([&] { return w.reached() == 1; }));
    CHECK_FALSE(w.changes.changing(slot));
    REQUIRE(w.runner.rebuild("p"));
    REQUIRE(eventually(
        [&] { return w.runner.status("p")->state == domain::projection_state::running; }));
    w.runner.stop();
    CHECK(announced == 2);  // the rows' commit, and the switch of generations
    CHECK(others == 1);
    CHECK_FALSE(w.changes.changing(slot));
    CHECK_FALSE(w.changes.changing(other));
}

TEST_CASE("projections: a rebuild that cannot begin is tried again until it can") {
    projection_world w;
    w.fill(3);
    w.begin(1);
    REQUIRE(eventually([&] { return w.reached() == 3; }));
    const auto before = w.store.views->generations()->at(0).id;
    w.views.creates_to_fail = 3;
    REQUIRE(w.runner.rebuild("p"));
    CHECK(eventually(
        [&] { return w.runner.status("p")->state == domain::projection_state::running; }));
    CHECK(w.views.creates_to_fail == 0);
    CHECK(w.store.views->generations()->at(0).id > before);
    CHECK(w.has("s-3"));
}
