// Private to src/cli: what goes on until Ctrl-C, and then ends in order.
//
// While an `interrupt` lives, the first SIGINT or SIGTERM is remembered instead of ending the
// process; the second ends it as usual. One at a time. Whoever started us with the signal ignored
// keeps it ignored.
#pragma once

#include <signal.h>

#include <array>
#include <chrono>

namespace flexcore::cli {

class interrupt {
public:
    interrupt();
    ~interrupt();
    interrupt(const interrupt&) = delete;
    interrupt& operator=(const interrupt&) = delete;

    /// The signal that came; 0: none. [any thread]
    [[nodiscard]] static int caught() noexcept;
    /// Waits so long, less when a signal comes. False: one has come.
    [[nodiscard]] static bool pause(std::chrono::milliseconds);

private:
    static constexpr std::array numbers{SIGINT, SIGTERM};
    std::array<struct sigaction, numbers.size()> before_{};
};

/// From here on SIGINT ends the process with 0, at once: for what only prints and never ends by
/// itself.
void end_quietly_on_interrupt();

}  // namespace flexcore::cli
