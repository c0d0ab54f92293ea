#include "bus/key_registry.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>
#include <vector>

using flexcore::bus::key_registry;

TEST_CASE("key registry: a key is held once per tenant until it is given back") {
    key_registry keys;
    auto first = keys.take("t", "k");
    CHECK(first);
    CHECK_FALSE(keys.take("t", "k"));
    CHECK(keys.take("u", "k"));
    CHECK(keys.take("t", "l"));
    auto moved = std::move(first);
    CHECK_FALSE(keys.take("t", "k"));
    moved = {};
    CHECK(keys.take("t", "k"));
}

TEST_CASE("key registry: of racing threads exactly one holds the key") {
    key_registry keys;
    std::atomic<int> holding{0};
    std::atomic<int> taken{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5'000; ++i) {
                const auto hold = keys.take("t", "k");
                if (!hold) continue;
                if (holding.fetch_add(1) != 0) std::abort();
                taken.fetch_add(1);
                holding.fetch_sub(1);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(taken.load() > 0);
    CHECK(keys.take("t", "k"));
}

TEST_CASE("key registry: no two tenants and keys are one, whatever they are made of") {
    key_registry keys;
    const auto one = keys.take("a",
                               "\x1f"
                               "b");
    CHECK(one);
    const auto two = keys.take("a\x1f", "b");
    CHECK(two);
    const auto three = keys.take("1:a", "b");
    CHECK(three);
    const auto four = keys.take("1", ":ab");
    CHECK(four);
}
