#include "bus/change_counters.hpp"

#include <catch2/catch.hpp>

#include <thread>
#include <vector>

using flexcore::bus::change_counters;

TEST_CASE("change counters: what was read stays valid until one of its slots changes") {
    change_counters changes;
    const auto read = change_counters::row_slot("t", "orders", "1");
    const auto other = change_counters::row_slot("t", "orders", "2");
    REQUIRE(read != other);
    const auto seen = changes.last();
    changes.bump(other);
    CHECK(changes.value(read) <= seen);
    changes.bump(read);
    CHECK(changes.value(read) > seen);
}

TEST_CASE("change counters: a change after the number was taken counts, whatever is read later") {
    change_counters changes;
    const auto slot = change_counters::model_slot("t", "orders");
    const auto seen = changes.last();
    changes.bump(slot);
    CHECK(changes.value(slot) > seen);
    CHECK(changes.value(slot) <= changes.last());
}

TEST_CASE("change counters: tenants, models and rows have slots of their own") {
    const auto row = change_counters::row_slot("t", "orders", "1");
    CHECK(row != change_counters::row_slot("u", "orders", "1"));
    CHECK(row != change_counters::row_slot("t", "order", "s1"));
    CHECK(change_counters::model_slot("t", "orders") != change_counters::model_slot("u", "orders"));
}

TEST_CASE("change counters: bump_all changes every slot") {
    change_counters changes;
    const auto slot = change_counters::row_slot("t", "m", "k");
    const auto seen = changes.last();
    changes.bump_all();
    CHECK(changes.value(slot) > seen);
    CHECK(changes.value(slot) <= changes.last());
}

TEST_CASE("change counters: no bump of many threads is lost") {
    change_counters changes;
    const auto slot = change_counters::row_slot("t", "m", "k");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5'000; ++i) {
                const auto seen = changes.last();
                changes.bump(slot);
                if (changes.value(slot) <= seen) std::abort();
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(changes.last() == 20'000);
    CHECK(changes.value(slot) == 20'000);
}

TEST_CASE("change counters: what is announced is changing until it is bumped") {
    change_counters changes;
    const auto slot = change_counters::row_slot("t", "m", "k");
    const auto other = change_counters::row_slot("t", "m", "l");
    REQUIRE(slot != other);
    const auto seen = changes.last();
    changes.announce(slot);
    CHECK(changes.changing(slot));
    CHECK_FALSE(changes.changing(other));
    CHECK(changes.value(slot) > seen);
    const auto meanwhile = changes.last();
    changes.bump(slot);
    CHECK_FALSE(changes.changing(slot));
    CHECK(changes.value(slot) > meanwhile);

    changes.announce_all();
    CHECK(changes.changing(other));
    const auto before = changes.last();
    changes.bump_all();
    CHECK_FALSE(changes.changing(other));
    CHECK(changes.value(other) > before);
}
