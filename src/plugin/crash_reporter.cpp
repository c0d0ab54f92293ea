#include "plugin/crash_reporter.hpp"

#include "plugin/calls/boundary.hpp"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <mutex>

namespace flexcore::plugin {
namespace {

struct watched {
    int number;
    const char* name;
};
constexpr std::array<watched, 5> signals{{{SIGSEGV, "SIGSEGV"},
                                          {SIGABRT, "SIGABRT"},
                                          {SIGBUS, "SIGBUS"},
                                          {SIGFPE, "SIGFPE"},
                                          {SIGILL, "SIGILL"}}};
std::array<struct sigaction, signals.size()> before;

void append(std::array<char, 512>& line, std::size_t& size, const char* text) noexcept {
    const std::size_t wanted = std::strlen(text);
    const std::size_t taken = wanted < line.size() - size ? wanted : line.size() - size;
    std::memcpy(line.data() + size, text, taken);
    size += taken;
}

void report(int number, siginfo_t*, void*) noexcept {
    std::size_t which = 0;
    while (which + 1 < signals.size() && signals[which].number != number) ++which;
    if (const char* const plugin = current_plugin::name(); plugin != nullptr) {
        std::array<char, 512> line{};
        std::size_t size = 0;
        append(line, size, "flexcore: fatal signal ");
        append(line, size, signals[which].name);
        append(line, size, " in plugin '");
        append(line, size, plugin);
        append(line, size, "'; the process ends\n");
        [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), size);
    }
    // The faulting instruction runs again after the return and meets the earlier handler; a signal
    // that was sent (abort) does not come again by itself.
    ::sigaction(number, &before[which], nullptr);
    ::raise(number);
}

}  // namespace

void install_crash_reporter() {
    static std::once_flag once;
    std::call_once(once, [] {
        for (std::size_t i = 0; i < signals.size(); ++i) {
            struct sigaction action{};
            action.sa_sigaction = report;
            action.sa_flags = SA_SIGINFO | SA_ONSTACK;
            ::sigemptyset(&action.sa_mask);
            ::sigaction(signals[i].number, &action, &before[i]);
        }
    });
}

}  // namespace flexcore::plugin
