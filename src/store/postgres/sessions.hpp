// sessions: a bounded pool of connections, shared by everything that reads.
//
// Threads:  any; a loan is used and given back on one thread at a time.
// Errors:   busy when all are lent for longer than `wait_max`; unavailable when none can be opened:
//           after a failure everybody is told so at once until the next try is due, and while the
//           database is silent, so that nobody's request waits for a time-out of its own.
// Lifetime: loans may outlive `close`; their connections are closed when they come back.
#pragma once

#include "store/postgres/connection.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace flexcore::store::postgres {

/// Growing pauses between tries, each drawn from its upper half so that servers do not try in step.
class backoff {
public:
    void failed();
    void succeeded() noexcept { pause_ = {}; }
    [[nodiscard]] deadline next_try() const noexcept { return next_; }

    static constexpr std::chrono::milliseconds first{50};
    static constexpr std::chrono::milliseconds longest{2'000};

private:
    monotonic::duration pause_{};
    deadline next_{};
};

struct session_limits {
    std::size_t sessions_max = 8;
    std::chrono::milliseconds wait_max{5'000};
};

class sessions {
    struct shared;

public:
    class loan {
    public:
        loan(std::shared_ptr<shared>, std::unique_ptr<connection>, std::uint64_t age);
        loan(loan&&) noexcept = default;
        loan& operator=(loan&&) = delete;
        ~loan();
        [[nodiscard]] connection& operator*() const noexcept { return *session_; }
        [[nodiscard]] connection* operator->() const noexcept { return session_.get(); }

    private:
        std::shared_ptr<shared> pool_;
        std::unique_ptr<connection> session_;
        std::uint64_t age_;  ///< of the pool when it was lent
    };

    sessions(connection_settings, const session_limits&);
    ~sessions();

    [[nodiscard]] result<loan> lend();
    /// Sessions opened before now are not lent again: the server may have been replaced.
    void renew();
    /// How often that was: a session kept elsewhere that is older than this goes as well.
    [[nodiscard]] std::uint64_t age() const;
    void close();

private:
    std::shared_ptr<shared> shared_;
};

/// Answers `work(connection&)` with a session of the pool. A session that turns out to be lost is
/// replaced once: it may have died while it lay there. Only for work that changes nothing.
template <class Work>
auto reading(sessions& of, Work work) -> decltype(work(std::declval<connection&>())) {
    for (bool again = true;; again = false) {
        auto session = of.lend();
        if (!session) return fail(std::move(session.error()));
        auto answer = believing([&] { return work(**session); });
        if (answer || (*session)->usable() || !again) return answer;
    }
}

}  // namespace flexcore::store::postgres
