#include "base/uuid.hpp"

#include "base/clock.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <thread>
#include <unordered_set>
#include <vector>

using namespace flexcore;

TEST_CASE("uuid: text and bytes go both ways, either case is read, lower case written") {
    const auto id = parse_uuid("0192F0C1-2345-7ABC-8DEF-0123456789ab");
    REQUIRE(id);
    CHECK(id->bytes[0] == 0x01);
    CHECK(id->bytes[15] == 0xAB);
    CHECK(id->to_string() == "0192f0c1-2345-7abc-8def-0123456789ab");
}

TEST_CASE("parse_uuid: anything but the 8-4-4-4-12 form is refused, nil too") {
    for (const char* bad :
         {"", "0192f0c1-2345-7abc-8def-0123456789a", "0192f0c1-2345-7abc-8def-0123456789abc",
          "0192f0c123457abc8def0123456789ab", "{0192f0c1-2345-7abc-8def-0123456789ab}",
          "0192f0c1-2345-7abc-8def-0123456789ag", "0192f0c1_2345-7abc-8def-0123456789ab",
          "0192f0c12-345-7abc-8def-0123456789ab", "00000000-0000-0000-0000-000000000000"}) {
        INFO(bad);
        CHECK_FALSE(parse_uuid(bad));
    }
}

TEST_CASE("uuid_v7: version, variant and time are in their places") {
    const auto before = now_unix_us() / 1000;
    const uuid id = uuid_v7();
    std::int64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) ms = ms << 8 | id.bytes[i];
    CHECK(id.bytes[6] >> 4 == 7);
    CHECK(id.bytes[8] >> 6 == 2);
    CHECK(ms >= before);
    // Many ids in a row may run ahead of the clock, by a second at most in this program.
    CHECK(ms <= now_unix_us() / 1000 + 1000);
}

TEST_CASE("uuid_v7: ids ascend strictly, also faster than the clock's millisecond counts") {
    uuid last = uuid_v7();
    bool ascending = true;
    for (int i = 0; i < 200'000; ++i) {
        const uuid next = uuid_v7();
        ascending = ascending && last < next;
        last = next;
    }
    CHECK(ascending);
}

TEST_CASE("uuid_v7: threads get different ids, ascending in each") {
    constexpr std::size_t threads = 4;
    constexpr std::size_t each = 20'000;
    std::vector<std::vector<uuid>> made(threads);
    {
        std::vector<std::jthread> running;
        for (auto& mine : made)
            running.emplace_back([&mine] {
                for (std::size_t i = 0; i < each; ++i) mine.push_back(uuid_v7());
            });
    }
    std::unordered_set<uuid, uuid_hash> all;
    for (const auto& mine : made) {
        CHECK(std::ranges::is_sorted(mine));
        all.insert(mine.begin(), mine.end());
    }
    CHECK(all.size() == threads * each);
}
