#include "unit/domain/projection_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using domain::projection_state;

namespace {

/// Holds every apply until it is opened.
class gated final : public domain::projection_behavior {
public:
    explicit gated(std::shared_ptr<counting> under) : under_{std::move(under)} {}
    void apply(std::string_view tenant, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline until,
               std::move_only_function<void(result<void>)> done) override {
        if (!open.load() && events.front().pos <= held_below.load()) {
            return done(fail(bus::bus_errc::busy, "held by the test"));
        }
        under_->apply(tenant, events, views, until, std::move(done));
    }
    std::atomic<bool> open{false};
    std::atomic<store::position> held_below{0};

private:
    std::shared_ptr<counting> under_;
};

}  // namespace

TEST_CASE("rebuild: the old rows are served until the new are complete, then switched at once") {
    projection_world w;
    auto behavior = std::make_shared<gated>(std::make_shared<counting>());
    REQUIRE(w.runner->add(w.spec(), behavior));
    w.runner->start();
    REQUIRE(w.reaches(w.write(50)));
    behavior->held_below = 50;  // the rebuild cannot begin, the live rows go on
    const auto seen = w.changes.last();
    REQUIRE(w.runner->rebuild("count"));
    CHECK(w.runner->rebuild("count").error().code == domain::domain_errc::wrong_state);
    REQUIRE(w.reaches(w.write(5)));
    CHECK(w.count() == 55);
    CHECK(w.status().checkpoint == 55);
    CHECK(w.status().rebuild_position == 0);
    behavior->open = true;
    REQUIRE(w.becomes(projection_state::running));
    CHECK(w.count() == 55);
    CHECK(w.base.store.views->generations()->size() == 1);
    CHECK(w.base.store.views->generations()->at(0).id != 1);
    CHECK(w.changes.value(bus::change_counters::row_slot("x", "y", "z")) > seen);
}

TEST_CASE(
    "rebuild: while it is written to, reads never go back and the rows end as a fold of the log") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(2'000)));
    std::atomic<bool> over{false};
    std::atomic<int> backward{0};
    std::thread reader{[&] {
        long long last = 0;
        while (!over) {
            const auto now = w.count();
            if (now < last) backward.fetch_add(1);
            last = now;
        }
    }};
    store::position last = 0;
    for (int round = 0; round < 3; ++round) {
        REQUIRE(w.runner->rebuild("count"));
        for (int i = 0; i < 100; ++i) last = w.write(3);
        REQUIRE(w.becomes(projection_state::running));
    }
    REQUIRE(w.reaches(last));
    over = true;
    reader.join();
    CHECK(backward == 0);
    CHECK(w.count() == 2'900);
    CHECK(w.base.store.views->generations()->size() == 1);
}

TEST_CASE("rebuild: another version is rebuilt by itself, meanwhile the old rows answer") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(20)));
    w.restart();
    auto behavior = std::make_shared<gated>(std::make_shared<counting>());
    behavior->held_below = 1'000;
    REQUIRE(w.runner->add(w.spec(2), behavior));
    w.runner->start();
    w.write(5);
    CHECK(w.count() == 20);
    CHECK(w.runner->reached({"counts"}) == 20);
    CHECK(w.status().version == 2);
    behavior->open = true;
    REQUIRE(w.reaches(25));
    CHECK(w.count() == 25);
    REQUIRE(eventually([&] { return w.base.store.views->generations()->size() == 1; }));
    CHECK(w.base.store.views->generations()->at(0).version == 2);
}

TEST_CASE("rebuild: other models mean a rebuild, with the same version too") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(20)));
    w.restart();
    auto spec = w.spec();
    spec.models = {{.name = "counts", .indexed = {}}};
    auto behavior = w.add(spec);
    w.runner->start();
    REQUIRE(eventually([&] {
        const auto all = *w.base.store.views->generations();
        return all.size() == 1 && all[0].models == spec.models && all[0].serving;
    }));
    REQUIRE(w.reaches(20));
    CHECK(w.count() == 20);
    CHECK(behavior->applies >= 2);
}

TEST_CASE("rebuild: a checkpoint above the log's head is of another log") {
    projection_world w;
    auto made = w.base.store.views->create("count", 1, {counts_model});
    REQUIRE(made);
    {
        auto rows = w.base.store.views->begin(made->id, 0);
        REQUIRE((*rows)->put("default", "counts", "s-1", R"({"n":77})", 100));
        REQUIRE((*rows)->commit(100));
    }
    w.write(5);
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(5));
    CHECK(w.count() == 5);
    REQUIRE(eventually([&] { return w.base.store.views->generations()->size() == 1; }));
    CHECK(w.base.store.views->generations()->at(0).checkpoint == 5);
}

TEST_CASE("rebuild: one that was interrupted goes on, what cannot is dropped") {
    projection_world w;
    w.write(30);
    auto& views = *w.base.store.views;
    const auto serving = *views.create("count", 1, {counts_model});
    const auto stale = *views.create("count", 7, {counts_model});
    const auto interrupted = *views.create("count", 1, {counts_model});
    {
        auto rows = views.begin(interrupted.id, 0);
        REQUIRE((*rows)->put("default", "counts", "s-1", R"({"n":20})", 20));
        REQUIRE((*rows)->commit(20));
    }
    auto behavior = w.add();
    w.runner->start();
    REQUIRE(eventually([&] {
        const auto all = *views.generations();
        return all.size() == 1 && all[0].id == interrupted.id;
    }));
    REQUIRE(w.becomes(projection_state::running));
    CHECK(w.count() == 30);
    CHECK(serving.id != stale.id);
}

TEST_CASE("rebuild: one that stopped says so, while the rows that are served go on") {
    projection_world w;
    auto behavior = w.add();
    w.runner->start();
    w.write(10);
    const auto bad = w.write(1, "s-1", "t.bad");
    REQUIRE(w.reaches(bad));
    behavior->poison({"t.bad"});
    REQUIRE(w.runner->rebuild("count"));
    REQUIRE(w.becomes(projection_state::stopped));
    CHECK(w.status().error.starts_with("the rebuild has stopped"));
    CHECK(w.status().rebuild_position == bad - 1);
    const auto last = w.write(5);
    CHECK(w.reaches(last));
    CHECK(w.count() == 16);
}

TEST_CASE(
    "rebuild: a stopped projection can be rebuilt, a poison event stops the rebuild as well") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    w.runner->start();
    w.write(10);
    const auto bad = w.write(1, "s-1", "t.bad");
    w.write(10);
    REQUIRE(eventually([&] { return w.status().poison == bad; }));
    REQUIRE(w.runner->rebuild("count"));
    REQUIRE(eventually([&] {
        const auto status = w.status();
        return status.state == projection_state::stopped && status.rebuild_position == bad - 1;
    }));
    CHECK(w.count() == 10);
    REQUIRE(w.runner->skip("count", bad));
    // Whoever asks next is not told of what is being passed over.
    CHECK(w.status().state != projection_state::stopped);
    CHECK(w.status().error.empty());
    REQUIRE(w.becomes(projection_state::running));
    CHECK(w.reaches(21));
    CHECK(w.count() == 20);
}
