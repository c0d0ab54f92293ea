// timers: deadlines and delays for modules that own no Asio context.
//
// One thread with a heap. Callbacks run on that thread and must be quick: post what takes long.
#pragma once

#include "base/clock.hpp"
#include "runtime/executor.hpp"

#include <cstdint>
#include <memory>

namespace flexcore::runtime {

using timer_id = std::uint64_t;  ///< 0 is never given out

class timers {
public:
    timers();
    ~timers();  ///< stops; pending callbacks are dropped, not run
    timers(const timers&) = delete;
    timers& operator=(const timers&) = delete;

    /// [any thread] Runs `work` once at `when`, or at once (on the timer thread) when it is past.
    timer_id at(deadline when, task work);
    timer_id after(monotonic::duration delay, task work);
    /// [any thread] True: it will not run. False: it has run, is running, or never was.
    bool cancel(timer_id);
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::runtime
