#include "telemetry/health.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace flexcore::telemetry;

TEST_CASE("health_registry: answers every part, sorted by name, with what it says now") {
    health_registry registry;
    health store = health::healthy;
    registry.add("store", true, [&] { return health_report{store, "disk full"}; });
    registry.add("plugin.orders", false, [] { return health_report{health::degraded, "slow"}; });
    auto all = registry.all();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "plugin.orders");
    CHECK_FALSE(all[0].needed_for_ready);
    CHECK(all[0].report.text == "slow");
    CHECK(all[1].needed_for_ready);
    CHECK(all[1].report.state == health::healthy);
    store = health::unhealthy;
    CHECK(registry.all()[1].report.state == health::unhealthy);
}

TEST_CASE("health_registry: the same name replaces, remove forgets") {
    health_registry registry;
    registry.add("a", false, [] { return health_report{}; });
    registry.add("a", true, [] { return health_report{health::degraded, "x"}; });
    REQUIRE(registry.all().size() == 1);
    CHECK(registry.all()[0].needed_for_ready);
    registry.remove("a");
    registry.remove("a");
    CHECK(registry.all().empty());
}

TEST_CASE("health_registry: once remove has returned the check runs no more") {
    health_registry registry;
    std::atomic<bool> stop = false;
    std::jthread reader{[&] {
        while (!stop) (void)registry.all();
    }};
    for (int i = 0; i < 2000; ++i) {
        auto part = std::make_unique<std::atomic<int>>(0);
        registry.add("part", false, [p = part.get()] {
            ++*p;  // a sanitizer tells when the part has gone
            return health_report{};
        });
        registry.remove("part");
    }
    stop = true;
}
