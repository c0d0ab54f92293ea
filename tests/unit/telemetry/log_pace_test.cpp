#include "telemetry/log_pace.hpp"

#include <catch2/catch.hpp>

#include <thread>
#include <vector>

using namespace flexcore;
using namespace flexcore::telemetry;

TEST_CASE("log_pace: the first is said, those within its second are counted for the next") {
    log_pace pace;
    const monotonic::time_point begin{};
    CHECK(pace.take(begin) == 0U);
    CHECK_FALSE(pace.take(begin));
    CHECK_FALSE(pace.take(begin + log_pace::gap - monotonic::duration{1}));
    CHECK(pace.take(begin + log_pace::gap) == 2U);
    CHECK(pace.take(begin + 3 * log_pace::gap) == 0U);
}

TEST_CASE("log_pace: of many threads at one moment one gets the turn, none is lost count of") {
    constexpr std::uint64_t each = 1000;
    constexpr std::size_t threads = 4;
    log_pace pace;
    const monotonic::time_point begin{};
    std::atomic<std::uint64_t> said{0};
    {
        std::vector<std::jthread> all;
        for (std::size_t i = 0; i < threads; ++i) {
            all.emplace_back([&] {
                for (std::uint64_t n = 0; n < each; ++n)
                    if (pace.take(begin)) ++said;
            });
        }
    }
    CHECK(said == 1);
    CHECK(pace.take(begin + log_pace::gap) == threads * each - 1);
}
