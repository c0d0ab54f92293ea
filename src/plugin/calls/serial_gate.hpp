// serial_gate: never two at once inside one instance, without holding a lock while inside.
//
// Who finds it free goes in on its own thread. Who does not either leaves work, which then runs on
// a worker in order of arrival, or waits (bounded) for its turn. Threads that wait come before work
// that does: they may be the very workers it needs. And it is let in by the worker that has come
// for it, not before: a gate that is taken always has a thread inside.
// Threads:  any. Whoever was let in calls `leave` once, on any thread.
// Lifetime: work that waits must keep alive what it needs; the gate may go before it.
#pragma once

#include "base/clock.hpp"
#include "runtime/executor.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace flexcore::plugin {

class serial_gate {
public:
    explicit serial_gate(runtime::executor& workers) : state_{new state{workers}} {}

    /// False as well while work waits: it was there before.
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
    struct state {
        explicit state(runtime::executor& w) : workers{w} {}
        runtime::executor& workers;
        std::mutex mutex;
        bool taken = false;
        bool closed = false;
        bool coming = false;  ///< a worker, for the work that waits
        std::deque<waiter*> waiting;
        std::deque<runtime::task> work;
    };
    /// Whether a worker is to be sent for.
    static bool needs_worker(state&) noexcept;
    static void send_worker(const std::shared_ptr<state>&);
    static void come(state&);

    const std::shared_ptr<state> state_;  ///< shared with workers that are coming
};

}  // namespace flexcore::plugin
