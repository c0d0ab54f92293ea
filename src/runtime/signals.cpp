#include "runtime/signals.hpp"

#include "base/check.hpp"
#include "runtime/thread.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>
#include <utility>

namespace flexcore::runtime {
namespace {

constexpr int exit_status_forced = 130;  // what shells report for SIGINT

sigset_t stop_set() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    return set;
}

}  // namespace

void ignore_broken_pipes() { FLEXCORE_CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR); }

struct stop_signal::state {
    task on_stop;
    int signals = -1;  // readable: a signal came
    int leave = -1;    // readable: the destructor waits
    sigset_t mask_before{};
    std::thread thread;

    void run() {
        bool asked = false;
        std::array<pollfd, 2> watched{pollfd{signals, POLLIN, 0}, pollfd{leave, POLLIN, 0}};
        for (;;) {
            if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // interrupted
            if (watched[1].revents != 0) return;
            signalfd_siginfo info{};
            if (::read(signals, &info, sizeof info) != sizeof info) continue;
            // No destructors: whatever hangs may hold the locks they would wait for.
            if (std::exchange(asked, true)) ::_exit(exit_status_forced);
            run_task(on_stop);
        }
    }
};

stop_signal::stop_signal(task on_stop) : state_{std::make_unique<state>()} {
    const sigset_t set = stop_set();
    state_->on_stop = std::move(on_stop);
    FLEXCORE_CHECK(::pthread_sigmask(SIG_BLOCK, &set, &state_->mask_before) == 0);
    state_->signals = ::signalfd(-1, &set, SFD_CLOEXEC);
    state_->leave = ::eventfd(0, EFD_CLOEXEC);
    FLEXCORE_CHECK(state_->signals >= 0 && state_->leave >= 0);
    state_->thread = start_thread("signals", [s = state_.get()] { s->run(); });
}

stop_signal::~stop_signal() {
    const std::uint64_t one = 1;
    FLEXCORE_CHECK(::write(state_->leave, &one, sizeof one) == sizeof one);
    state_->thread.join();
    ::close(state_->signals);
    ::close(state_->leave);
    ::pthread_sigmask(SIG_SETMASK, &state_->mask_before, nullptr);
}

}  // namespace flexcore::runtime
