// serial_gate: never two at once inside one instance, without holding a lock while inside.
//
// Who finds it free goes in on its own thread. Who does not either leaves work, which then runs on
// a worker in order of arrival, or waits (bounded) for its turn.
// Threads:  any. Whoever was let in calls `leave` once, on any thread.
// Lifetime: work that waits must keep the gate's owner alive.
#pragma once

#include "base/clock.hpp"
#include "runtime/executor.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <variant>

namespace flexcore::plugin {

class serial_gate {
public:
    explicit serial_gate(runtime::executor& workers) : workers_{workers} {}

    [[nodiscard]] bool try_enter() noexcept;
    /// `inside` runs on a worker, let in; it must see to `leave`.
    void enter_later(runtime::task inside);
    /// False: not before `until`.
    [[nodiscard]] bool enter_until(deadline until);
    void leave();
    /// Nobody gets in any more: what waits is dropped, who waits is turned away.
    void close();

private:
    struct waiter {
        std::condition_variable turn;
        bool granted = false;
    };
    runtime::executor& workers_;
    std::mutex mutex_;
    bool taken_ = false;
    bool closed_ = false;
    std::deque<std::variant<runtime::task, waiter*>> waiting_;
};

}  // namespace flexcore::plugin
