// Signals of the process: SIGPIPE is ignored, SIGTERM and SIGINT ask for an ordered stop.
#pragma once

#include "runtime/executor.hpp"

#include <memory>

namespace flexcore::runtime {

/// A peer that closes its socket must not end the process: writes answer EPIPE instead.
void ignore_broken_pipes();

/// Waits for SIGTERM or SIGINT on a thread of its own.
///
/// First signal:  `on_stop` runs once, on that thread, "fc-signals"; it must be quick.
/// Second signal: the process ends at once with status 130 (a stop that hangs can be broken off).
/// Lifetime:      construct before any other thread starts, since threads inherit the blocked
///                signals; at most one at a time. The destructor lets the signals through again.
class stop_signal {
public:
    explicit stop_signal(task on_stop);
    ~stop_signal();
    stop_signal(const stop_signal&) = delete;
    stop_signal& operator=(const stop_signal&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::runtime
