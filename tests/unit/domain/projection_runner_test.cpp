#include "unit/domain/projection_fixture.hpp"

#include "bus/query_bus.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;
using domain::projection_state;

TEST_CASE("projections: what is written shows in the rows, each event once") {
    projection_world w;
    auto behavior = w.add();
    const auto before = w.write(25);
    w.runner->start();
    REQUIRE(w.reaches(before));
    CHECK(w.count() == 25);
    for (int i = 0; i < 50; ++i) w.write(3);
    const auto last = w.write(1, "s-2");
    REQUIRE(w.reaches(last));
    CHECK(w.count() == 175);
    CHECK(w.count("s-2") == 1);
    const auto status = w.status();
    CHECK(status.state == projection_state::running);
    CHECK(status.checkpoint == last);
    CHECK(status.lag_events == 0);
    CHECK(status.plugin == "test");
    CHECK(status.models == std::vector{counts_model});
}

TEST_CASE("projections: after a restart they go on where they stood") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(30)));
    w.restart();
    w.write(5);
    auto behavior = w.add();
    w.runner->start();
    REQUIRE(w.reaches(35));
    CHECK(w.count() == 35);
    CHECK(behavior->applies == 1);
}

TEST_CASE("projections: a batch is applied tenant by tenant, each to its own rows") {
    projection_world w;
    auto behavior = w.add();
    for (int i = 0; i < 20; ++i) {
        w.write(1, "s-1", "t.happened", "a");
        w.write(2, "s-1", "t.happened", "b");
    }
    w.runner->start();
    REQUIRE(w.reaches(60));
    CHECK(w.count("s-1", "a") == 20);
    CHECK(w.count("s-1", "b") == 40);
    CHECK(w.count("s-1", "default") == -1);
    CHECK(behavior->mixed_tenants == 0);
}

TEST_CASE("projections: events that do not match move the position, saved now and then") {
    projection_world w;
    auto spec = w.spec();
    spec.selector = {{.types = {"t.wanted"}, .tags = {}, .categories = {}, .stream_prefix = {}}};
    auto behavior = w.add(spec);
    w.runner->start();
    for (int i = 0; i < 5; ++i) w.write(100);
    REQUIRE(w.reaches(500));
    CHECK(behavior->applies == 0);
    REQUIRE(w.reaches(w.write(1, "s-1", "t.wanted")));
    CHECK(w.count() == 1);
    w.write(3);
    REQUIRE(w.reaches(504));
    w.runner->stop();
    const auto generations = w.base.store.views->generations();
    REQUIRE(generations);
    CHECK(generations->at(0).checkpoint == 504);
}

TEST_CASE("projections: behaviors may work and write on threads of their own") {
    projection_world w;
    auto behavior = w.add();
    behavior->how = GENERATE(counting::way::other_thread, counting::way::joined);
    w.runner->start();
    for (int i = 0; i < 20; ++i) w.write(3);
    REQUIRE(w.reaches(60));
    CHECK(w.count() == 60);
}

TEST_CASE("projections: an apply that never ends is given up, its rows are closed to it") {
    auto settings = projection_world::quick();
    settings.apply_timeout = 20ms;
    projection_world w{settings};
    auto behavior = w.add();
    behavior->how = counting::way::never;
    w.runner->start();
    w.write(1);
    REQUIRE(w.becomes(projection_state::stopped));
    CHECK(w.status().error.find("deadline") != std::string::npos);
    {
        const std::lock_guard lock{behavior->mutex};
        REQUIRE_FALSE(behavior->kept.empty());
        const auto late = behavior->late_views->put("counts", "s-1", R"({"n":9})", 1);
        REQUIRE_FALSE(late);
        CHECK(late.error().code == domain::domain_errc::behavior_failed);
    }
    behavior->how = counting::way::inside;
    REQUIRE(w.reaches(1));
    CHECK(w.count() == 1);
    const std::lock_guard lock{behavior->mutex};
    for (auto& done : behavior->kept) done({});
    behavior->kept.clear();
    CHECK(w.count() == 1);
}

TEST_CASE("projections: an apply that loses its callback fails at once") {
    projection_world w;
    auto behavior = w.add();
    behavior->how = counting::way::dropped;
    w.runner->start();
    w.write(1);
    REQUIRE(w.becomes(projection_state::stopped));
    behavior->how = counting::way::inside;
    REQUIRE(w.reaches(1));
    CHECK(w.count() == 1);
}

TEST_CASE("projections: a name and a model have one projection, both are free again when it goes") {
    projection_world w;
    w.add();
    w.runner->start();
    const auto again = w.runner->add(w.spec(), std::make_shared<counting>());
    REQUIRE_FALSE(again);
    CHECK(again.error().code == bus::bus_errc::duplicate_name);
    auto other = w.spec();
    other.name = "other";
    const auto same_model = w.runner->add(other, std::make_shared<counting>());
    REQUIRE_FALSE(same_model);
    CHECK(same_model.error().code == bus::bus_errc::duplicate_name);
    REQUIRE(w.reaches(w.write(5)));

    mailbox<bool> removed;
    w.runner->remove("count", [give = removed.receiver()]() mutable { give(true); });
    REQUIRE(removed.get());
    CHECK_FALSE(w.runner->status("count"));
    CHECK(w.runner->models().empty());
    w.write(5);
    w.add();
    REQUIRE(w.reaches(10));
    CHECK(w.count() == 10);
    bool unknown = false;
    w.runner->remove("nobody", [&] { unknown = true; });
    CHECK(unknown);
}

TEST_CASE("projections: rows left by an unloaded projection make way for a new writer") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(5)));
    mailbox<bool> removed;
    w.runner->remove("count", [give = removed.receiver()]() mutable { give(true); });
    REQUIRE(removed.get());
    auto other = w.spec();
    other.name = "other";
    w.add(other);
    REQUIRE(w.reaches(5));
    CHECK(w.count() == 5);
    CHECK(w.base.store.views->generations()->size() == 1);
}

TEST_CASE("projections: pause holds, survives a restart, and resume catches up") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(5)));
    REQUIRE(w.runner->pause("count"));
    CHECK(w.status().state == projection_state::paused);
    CHECK(w.runner->pause("count").error().code == domain::domain_errc::wrong_state);
    CHECK(w.runner->rebuild("count").error().code == domain::domain_errc::wrong_state);
    REQUIRE(eventually([&] { return w.base.store.views->generations()->at(0).paused; }));
    w.write(5);
    w.restart();
    auto behavior = w.add();
    w.runner->start();
    CHECK(w.status().state == projection_state::paused);
    CHECK(w.status().lag_events == 5);
    CHECK(behavior->applies == 0);
    REQUIRE(w.runner->resume("count"));
    REQUIRE(w.reaches(10));
    CHECK(w.count() == 10);
    CHECK_FALSE(w.base.store.views->generations()->at(0).paused);
    CHECK(w.runner->resume("count").error().code == domain::domain_errc::wrong_state);
    CHECK(w.runner->pause("nobody").error().code == domain::domain_errc::unknown_projection);
}

TEST_CASE(
    "projections: the lag is the age of the next event, however many deleted ones lie before it") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(1)));
    REQUIRE(w.runner->pause("count"));
    // More than one call of read_log looks at.
    for (int i = 0; i < 21; ++i) w.write(1000, "gone-1");
    store::append_request removal;
    removal.tenant = "default";
    removal.change = store::stream_change{.stream = "gone-1",
                                          .what = store::stream_change::kind::tombstone,
                                          .expected = {},
                                          .settings = {}};
    mailbox<result<store::append_outcome>> removed;
    w.base.store.log->append(std::move(removal), removed.receiver());
    REQUIRE(removed.get());
    w.write(1, "s-2");
    CHECK(w.status().lag_events > 21'000);
    CHECK(eventually([&] { return w.status().lag_ms > 0; }));
}

TEST_CASE(
    "projections: a checkpoint that somebody else moved is read again, nothing counts twice") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(5)));
    // The projector is idle; its place is taken for a moment.
    const auto generation = w.base.store.views->generations()->at(0);
    REQUIRE(eventually([&] {
        auto rows = w.base.store.views->begin(generation.id, 5);
        return rows && (*rows)->put("default", "counts", "s-1", R"({"n":100})", 5) &&
               (*rows)->commit(7);
    }));
    w.write(5);
    REQUIRE(w.reaches(10));
    CHECK(w.count() == 103);
}

TEST_CASE("projections: the inline gate opens when the rows are there") {
    projection_world w;
    auto spec = w.spec();
    spec.inline_mode = true;
    auto behavior = w.add(spec);
    CHECK(w.runner->applied(1'000));  // not running: holds nobody
    w.runner->start();
    for (int i = 0; i < 100; ++i) {
        const auto pos = w.write(1);
        mailbox<long long> seen;
        w.runner->when_applied(pos, monotonic::now() + patience,
                               [&w, give = seen.receiver()]() mutable { give(w.count()); });
        REQUIRE(seen.get() == i + 1);
        CHECK(w.runner->applied(pos));
    }
    CHECK_FALSE(w.runner->applied(101));
    mailbox<bool> late;
    w.runner->when_applied(101, monotonic::now() + 10ms,
                           [give = late.receiver()]() mutable { give(true); });
    CHECK(late.get());
}

TEST_CASE("projections: a paused or stopped inline projection never holds an answer") {
    const auto paused = GENERATE(true, false);
    projection_world w;
    auto spec = w.spec();
    spec.inline_mode = true;
    auto behavior = w.add(spec);
    w.runner->start();
    REQUIRE(w.reaches(w.write(1)));
    mailbox<bool> answered;
    w.runner->when_applied(3, monotonic::now() + 2 * patience,
                           [give = answered.receiver()]() mutable { give(true); });
    CHECK(answered.empty());
    if (paused) {
        REQUIRE(w.runner->pause("count"));
    } else {
        behavior->poison({"t.bad"});
        w.write(1, "s-1", "t.bad");
    }
    CHECK(answered.get());
    CHECK(w.runner->applied(1'000));
}

TEST_CASE("projections: who waits for a position is told when all his models are there, or not") {
    projection_world w;
    w.add();
    auto other = w.spec();
    other.name = "other";
    other.models = {{.name = "others", .indexed = {}}};
    w.add(other);
    w.runner->start();
    REQUIRE(w.reaches(w.write(1), "others"));
    REQUIRE(w.runner->pause("other"));
    REQUIRE(w.becomes(projection_state::paused, "other"));
    REQUIRE(w.reaches(w.write(1)));
    CHECK(w.runner->reached({"counts"}) == 2);
    CHECK(w.runner->reached({"counts", "others"}) == 1);
    CHECK(w.runner->reached({}) == std::numeric_limits<store::position>::max());
    CHECK(w.runner->reached({"nobody"}) == 0);
    mailbox<bool> early;
    w.runner->when_reached({"counts", "others"}, 2, monotonic::now() + 10ms, early.receiver());
    CHECK_FALSE(early.get());
    mailbox<bool> there;
    w.runner->when_reached({"counts", "others"}, 2, monotonic::now() + patience, there.receiver());
    REQUIRE(w.runner->resume("other"));
    CHECK(there.get());
    mailbox<bool> at_stop;
    w.runner->when_reached({"counts"}, 99, no_deadline, at_stop.receiver());
    w.runner->stop();
    CHECK_FALSE(at_stop.get());
}

TEST_CASE("projections: rows and models count as changed before their position shows") {
    projection_world w;
    w.add();
    w.runner->start();
    const auto row = bus::change_counters::row_slot("default", "counts", "s-1");
    const auto other = bus::change_counters::row_slot("default", "counts", "s-2");
    const auto model = bus::change_counters::model_slot("default", "counts");
    for (int i = 0; i < 50; ++i) {
        const auto seen = w.changes.last();
        REQUIRE(w.reaches(w.write(1)));
        CHECK(w.changes.value(row) > seen);
        CHECK(w.changes.value(model) > seen);
        CHECK(w.changes.value(other) <= seen);
    }
}

TEST_CASE("projections: a query that names its position reads its own write, cached or not") {
    projection_world w;
    w.add();
    w.runner->start();
    bus::allow_all everybody;
    class count_query final : public bus::query_handler {
    public:
        void handle(const bus::query&, bus::query_views& views,
                    std::move_only_function<void(result<std::string>)> done) override {
            const auto row = views.get("counts", "s-1");
            if (!row) return done(std::unexpected{row.error()});
            done(*row ? (*row)->json : "null");
        }
    };
    bus::query_bus queries{{},        *w.base.store.views, *w.runner,     w.changes,
                           everybody, w.base.workers,      w.base.timers, w.base.metrics};
    REQUIRE(queries.add({.name = "q.count",
                         .plugin = {},
                         .description = {},
                         .params_schema = {},
                         .reads = {"counts"}},
                        std::make_shared<count_query>()));
    std::atomic<int> wrong{0};
    std::atomic<bool> over{false};
    std::thread reader{[&] {
        store::position seen = 0;
        while (!over) {
            mailbox<result<std::shared_ptr<const bus::query_answer>>> box;
            bus::query q;
            q.name = "q.count";
            queries.ask(q, box.receiver());
            const auto answer = box.get();
            if (!answer || (*answer)->pos < seen) wrong.fetch_add(1);
            if (answer) seen = (*answer)->pos;
        }
    }};
    for (int i = 1; i <= 300; ++i) {
        bus::query q;
        q.name = "q.count";
        q.min_position = w.write(1);
        q.wait = patience;
        for (int twice = 0; twice < 2; ++twice) {
            mailbox<result<std::shared_ptr<const bus::query_answer>>> box;
            queries.ask(q, box.receiver());
            const auto answer = box.get();
            REQUIRE(answer);
            REQUIRE((*answer)->pos == q.min_position);
        }
    }
    over = true;
    reader.join();
    CHECK(wrong == 0);
    w.base.workers.stop();
}
