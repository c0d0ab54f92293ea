// Scheduling: which threads go first when the cores are short. The threads that talk to clients do
// little for each request and must come to it soon: a refusal, /livez and whatever is ready must
// not wait behind the work that uses the cores up.
//
// Threads:  both act on the calling thread; threads it starts inherit it. What the kernel does not
//           know it ignores: nothing depends on them but latencies.
#pragma once

namespace flexcore {

/// Work that may wait: three times less of a short core than a thread that answers.
void run_in_background() noexcept;

/// A thread that answers: put on a core soon after it wakes, for turns of 0.1 ms, without a larger
/// share of it (Linux 6.12: sched_setattr's runtime of a normal thread is its slice).
void run_promptly() noexcept;

}  // namespace flexcore
