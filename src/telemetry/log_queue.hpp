// log_queue: complete lines on their way to spdlog. A line costs its thread a copy under a lock;
// one writer thread hands them over in blocks, so that many lines cost one wake-up and one write.
// (spdlog's own asynchronous logger wakes its writer for every line: 9 of the 20 µs that a cached
// query took.) Private to telemetry.
//
// Bounds:   `queued_bytes_max`; beyond, the oldest blocks are dropped and their lines counted.
// Time:     a line is written after `gather` at the latest, an urgent one at once.
// Threads:  push and dropped on any thread. The destructor writes out what waits, then joins.
#pragma once

#include <spdlog/logger.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace flexcore::telemetry {

class log_queue {
public:
    static constexpr std::size_t queued_bytes_max = 4u << 20;
    static constexpr std::chrono::milliseconds gather{50};

    explicit log_queue(std::shared_ptr<spdlog::logger>);
    ~log_queue();
    log_queue(const log_queue&) = delete;
    log_queue& operator=(const log_queue&) = delete;

    /// `line` without its end. Urgent ones take those before them along.
    void push(std::string_view line, bool urgent);
    /// Lines dropped so far.
    [[nodiscard]] std::uint64_t dropped() const noexcept;

private:
    struct block {
        std::string text;
        std::size_t lines = 0;
    };
    void write_out();

    const std::shared_ptr<spdlog::logger> logger_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<block> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool idle_ = true;  ///< the writer waits for a first line
    bool urgent_ = false;
    bool stopping_ = false;
    std::thread writer_;
};

}  // namespace flexcore::telemetry
