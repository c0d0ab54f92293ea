// log_pace: what may be said once in a second, however often it happens. A server that refuses
// thousands of requests in a second must not spend its time on saying so.
//
// Threads: any; two asked at the same moment, one gets the turn.
#pragma once

#include "base/clock.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace flexcore::telemetry {

class log_pace {
public:
    static constexpr std::chrono::seconds gap{1};

    /// Whether it may be said at `now`; then with how many times it was not since the last time.
    [[nodiscard]] std::optional<std::uint64_t> take(monotonic::time_point now) noexcept {
        const auto at = now.time_since_epoch().count();
        auto due = due_.load(std::memory_order_relaxed);
        const auto next = at + monotonic::duration{gap}.count();
        if (at >= due && due_.compare_exchange_strong(due, next, std::memory_order_relaxed))
            return left_out_.exchange(0, std::memory_order_relaxed);
        left_out_.fetch_add(1, std::memory_order_relaxed);
        return std::nullopt;
    }

private:
    std::atomic<monotonic::rep> due_{monotonic::time_point::min().time_since_epoch().count()};
    std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace flexcore::telemetry
