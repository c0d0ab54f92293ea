// Waiting for what other threads do, with a bound generous enough for a slow machine.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

inline constexpr std::chrono::seconds wait_max{30};

/// Counts what happened; `reached` waits until it happened often enough.
class tally {
public:
    void add() {
        const std::lock_guard lock{mutex_};
        ++count_;
        changed_.notify_all();
    }
    [[nodiscard]] bool reached(int count) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, wait_max, [&] { return count_ >= count; });
    }
    [[nodiscard]] int count() {
        const std::lock_guard lock{mutex_};
        return count_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int count_ = 0;
};
