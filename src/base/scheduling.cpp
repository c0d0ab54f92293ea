#include "base/scheduling.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace flexcore {
namespace {

constexpr int background_nice = 5;
constexpr std::uint64_t prompt_slice_ns = 100'000;  // the least that the kernel takes

// As sched_setattr(2) gives it: the C library has no such struct, and the kernel's header for it
// cannot be included beside <sched.h>.
struct sched_attr {
    std::uint32_t size = sizeof(sched_attr);
    std::uint32_t policy = 0;  // SCHED_OTHER
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

}  // namespace

void run_in_background() noexcept {
    // On Linux a thread has its own nice value, and 0 is the calling one.
    ::setpriority(PRIO_PROCESS, 0, background_nice);
}

void run_promptly() noexcept {
    sched_attr how;
    how.nice = ::getpriority(PRIO_PROCESS, 0);
    how.runtime = prompt_slice_ns;
    ::syscall(SYS_sched_setattr, 0, &how, 0);
}

}  // namespace flexcore
