// position_waiters: callbacks that run when something has got far enough, or at their deadline.
//
// Threads: any. No lock is held while a callback runs.
#pragma once

#include "runtime/timers.hpp"
#include "store/event.hpp"

#include <functional>
#include <map>
#include <mutex>

namespace flexcore::domain {

class position_waiters {
public:
    using enough = std::function<bool()>;
    using callback = std::move_only_function<void(bool)>;

    /// Runs `done` once: true when `reached` holds (at once, inside the call, when it does
    /// already), false at the deadline or when stopped. `reached` runs under the lock of this.
    void add(enough reached, deadline until, callback done);
    /// Something has moved: looks at everybody. To be called after the move is visible.
    void moved();
    /// Answers all that wait, and from now on everybody at once.
    void stop();

private:
    struct waiter {
        enough reached;
        callback done;
        runtime::timer_id timer = 0;
    };
    void expire(std::uint64_t id);

    std::mutex mutex_;
    std::map<std::uint64_t, waiter> waiting_;
    std::uint64_t last_id_ = 0;
    bool stopped_ = false;
    runtime::timers timers_;  // last: its thread uses everything above
};

}  // namespace flexcore::domain
