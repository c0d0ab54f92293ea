// load_loop: readiness of many load connections on one thread, and requests that are due at a rate.
//
// Errors:  of a connection go to `lost`, which may put another in its place with `replace`.
// Threads: one.
#pragma once

#include "cli/load_connection.hpp"
#include "cli/load_template.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace flexcore::cli {

inline constexpr std::uint64_t second_ns = 1'000'000'000;

class load_loop {
public:
    load_loop();
    ~load_loop();
    load_loop(const load_loop&) = delete;
    load_loop& operator=(const load_loop&) = delete;

    struct handlers {
        std::function<result<void>(load_connection&)> ready;  ///< there is something to read
        std::function<void(load_connection&, const error&)> lost;
        /// After each round, every 20 ms at the latest; false ends the run. May be empty.
        std::function<bool()> tick;
    };

    load_connection& add(std::unique_ptr<load_connection>);
    /// Takes the place of the one with its index, which is closed when the round is over.
    load_connection& replace(std::unique_ptr<load_connection>);
    /// Closes the one with this index when the round is over.
    void drop(std::size_t index);
    [[nodiscard]] std::size_t open() const noexcept { return open_; }
    /// Sends; asks for readiness to write when the kernel does not take all. A failure is told
    /// when the loop runs.
    void flush(load_connection&);
    /// Until `end_ns`. `busy`: the next request may be due in microseconds.
    void run(std::uint64_t end_ns, const handlers&, bool busy);

private:
    void watch(const load_connection&, bool writing);
    void tell_lost(const handlers&);

    int epoll_;
    bool writing_ = false;  // nobody had to wait yet: spares a system call per request
    std::size_t open_ = 0;
    std::vector<std::unique_ptr<load_connection>> all_;   // by index
    std::vector<std::unique_ptr<load_connection>> gone_;  // until the round is over
    std::vector<std::pair<load_connection*, error>> lost_;
};

/// Hands each due time to an idle connection.
class load_pacer {
public:
    load_pacer(double rate, std::uint64_t begin_ns)
        : interval_{static_cast<double>(second_ns) / rate}, begin_{begin_ns} {}
    void idle(load_connection& one) { idle_.push_back(&one); }
    void forget(const load_connection& one) { std::erase(idle_, &one); }
    template <class Send>
    void send_due(const Send& send) {
        const std::uint64_t now = monotonic_ns();
        while (!idle_.empty()) {
            const auto due =
                begin_ + static_cast<std::uint64_t>(static_cast<double>(given_) * interval_);
            if (due > now) return;
            ++given_;
            load_connection* one = idle_.front();
            idle_.pop_front();
            send(*one, due);
        }
    }

private:
    double interval_;
    std::uint64_t begin_;
    std::uint64_t given_ = 0;
    std::deque<load_connection*> idle_;
};

}  // namespace flexcore::cli
