#include "cli/interrupt_impl.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>

namespace flexcore::cli {
namespace {

// Lock-free, so that the handler may touch it.
std::atomic<int> signal_number{0};

}  // namespace

interrupt::interrupt() {
    signal_number = 0;
    struct sigaction action{};
    action.sa_handler = [](int number) { signal_number = number; };
    action.sa_flags = SA_RESETHAND;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        ::sigaction(numbers.at(i), &action, &before_.at(i));
        if (before_.at(i).sa_handler == SIG_IGN)
            ::sigaction(numbers.at(i), &before_.at(i), nullptr);
    }
}

interrupt::~interrupt() {
    for (std::size_t i = 0; i < numbers.size(); ++i)
        ::sigaction(numbers.at(i), &before_.at(i), nullptr);
}

int interrupt::caught() noexcept { return signal_number; }

bool interrupt::pause(std::chrono::milliseconds bound) {
    // A signal that comes between the question and the wait costs one interval, no more.
    if (signal_number == 0) ::poll(nullptr, 0, static_cast<int>(bound.count()));
    return signal_number == 0;
}

void end_quietly_on_interrupt() {
    struct sigaction action{}, before{};
    action.sa_handler = [](int) { ::_exit(0); };
    ::sigaction(SIGINT, &action, &before);
    if (before.sa_handler == SIG_IGN) ::sigaction(SIGINT, &before, nullptr);
}

}  // namespace flexcore::cli
