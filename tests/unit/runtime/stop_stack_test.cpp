#include "runtime/stop_stack.hpp"

#include <catch2/catch.hpp>

#include <thread>
#include <vector>

using namespace flexcore;
using namespace flexcore::runtime;

TEST_CASE("stop_stack: stops run once, last-in first-out, each reported with its time") {
    std::vector<std::string> ran;
    std::vector<std::string> reported;
    {
        stop_stack stops{[&](std::string_view name, monotonic::duration took) {
            CHECK(took >= monotonic::duration::zero());
            reported.emplace_back(name);
        }};
        for (const std::string name : {"store", "bus", "gateway"})
            stops.push(name, [&, name] { ran.push_back(name); });
        stops.run();
        stops.run();
    }
    CHECK(ran == std::vector<std::string>{"gateway", "bus", "store"});
    CHECK(reported == ran);
}

TEST_CASE("stop_stack: the destructor runs what is left") {
    int ran = 0;
    {
        stop_stack{{}}.push("one", [&] { ++ran; });
    }
    CHECK(ran == 1);
}

TEST_CASE("stop_stack: what a stop holds goes before the next stop runs") {
    auto held = std::make_shared<int>(0);
    long uses_in_next = 0;
    stop_stack stops{{}};
    stops.push("below", [&, seen = std::weak_ptr<int>{held}] { uses_in_next = seen.use_count(); });
    stops.push("above", [held] { ++*held; });
    held.reset();
    stops.run();
    CHECK(uses_in_next == 0);
}

TEST_CASE("stop_stack: a second caller returns only when everything has stopped") {
    std::atomic<int> stopped = 0;
    stop_stack stops{{}};
    for (int i = 0; i < 50; ++i) stops.push("part", [&] { ++stopped; });
    std::vector<int> seen(4);
    {
        std::vector<std::jthread> callers;
        for (int& s : seen)
            callers.emplace_back([&] {
                stops.run();
                s = stopped;
            });
    }
    CHECK(seen == std::vector<int>(4, 50));
}
