#include "unit/domain/projection_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using domain::projection_state;

namespace {

telemetry::health health_of(const world& w) {
    for (const auto& part : w.health.all()) {
        if (part.name == "projection.count") {
            CHECK_FALSE(part.needed_for_ready);
            return part.report.state;
        }
    }
    return telemetry::health::unhealthy;
}

}  // namespace

TEST_CASE("poison: the projection stops at the one event, all before it are applied") {
    projection_world w;
    auto behavior = w.add();
    behavior->names_position = GENERATE(false, true);
    behavior->poison({"t.bad"});
    w.write(37);
    const auto bad = w.write(1, "s-1", "t.bad");
    w.write(40);
    w.runner->start();
    REQUIRE(eventually([&] { return w.status().poison == bad; }));
    const auto status = w.status();
    CHECK(status.state == projection_state::stopped);
    CHECK(status.checkpoint == bad - 1);
    CHECK(status.error.find("position 38") != std::string::npos);
    CHECK(status.error.find("type t.bad") != std::string::npos);
    CHECK(status.lag_events == 41);
    CHECK(w.count() == 37);
    CHECK(health_of(w.base) == telemetry::health::degraded);
    CHECK_FALSE(w.base.store.views->generations()->at(0).stopped_because.empty());
}

TEST_CASE("poison: it is tried again by itself, and goes on when it can") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    w.runner->start();
    w.write(3);
    w.write(1, "s-1", "t.bad");
    w.write(3);
    REQUIRE(w.becomes(projection_state::stopped));
    const int applies = behavior->applies;
    REQUIRE(eventually([&] { return behavior->applies > applies + 3; }));
    behavior->poison({});
    REQUIRE(w.reaches(7));
    CHECK(w.count() == 7);
    CHECK(w.becomes(projection_state::running));
    CHECK(w.status().error.empty());
    CHECK(w.status().poison == 0);
    CHECK(health_of(w.base) == telemetry::health::healthy);
    CHECK(w.base.store.views->generations()->at(0).stopped_because.empty());
}

TEST_CASE("poison: only the operator skips, and exactly the event he names") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    w.runner->start();
    w.write(3);
    w.write(1, "s-1", "t.bad");
    w.write(2);
    w.write(1, "s-1", "t.bad");
    w.write(2);
    REQUIRE(eventually([&] { return w.status().poison == 4; }));
    CHECK(w.runner->skip("count", 5).error().code == domain::domain_errc::wrong_state);
    CHECK(w.runner->skip("count", 0).error().code == domain::domain_errc::wrong_state);
    REQUIRE(w.runner->skip("count", 4));
    REQUIRE(eventually([&] { return w.status().poison == 7; }));
    CHECK(w.count() == 5);
    REQUIRE(w.runner->skip("count", 7));
    REQUIRE(w.reaches(9));
    CHECK(w.count() == 7);

    // What was skipped stays skipped.
    w.restart();
    auto again = w.add();
    again->poison({"t.bad"});
    w.runner->start();
    CHECK(w.becomes(projection_state::running));
    CHECK(w.count() == 7);
}

TEST_CASE("poison: why it stopped is still known after a restart") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    w.runner->start();
    w.write(1, "s-1", "t.bad");
    REQUIRE(w.becomes(projection_state::stopped));
    w.restart();
    REQUIRE(w.runner->add(w.spec(), behavior));
    w.runner->start();
    CHECK(w.status().state == projection_state::stopped);
    CHECK(w.status().error.find("type t.bad") != std::string::npos);
}

TEST_CASE("poison: other projections go on") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    auto other = w.spec();
    other.name = "other";
    other.models = {{.name = "others", .indexed = {}}};
    w.add(other);
    w.runner->start();
    w.write(1, "s-1", "t.bad");
    const auto last = w.write(20);
    REQUIRE(w.reaches(last, "others"));
    CHECK(w.count("s-1", "default", "others") == 21);
    CHECK(w.status().state == projection_state::stopped);
}

TEST_CASE("poison: many of them are met one by one") {
    projection_world w;
    auto behavior = w.add();
    behavior->poison({"t.bad"});
    std::vector<store::position> bad;
    for (int i = 0; i < 10; ++i) {
        if (i > 0) w.write(i);
        bad.push_back(w.write(1, "s-1", "t.bad"));
    }
    w.runner->start();
    for (const auto at : bad) {
        REQUIRE(eventually([&] { return w.status().poison == at; }));
        REQUIRE(w.runner->skip("count", at));
    }
    REQUIRE(w.reaches(bad.back()));
    CHECK(w.count() == 45);
}
