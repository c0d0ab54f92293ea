#include "plugin/calls/boundary.hpp"

#include <csignal>
#include <cstddef>
#include <memory>
#include <new>

namespace flexcore::plugin {
namespace {

constexpr std::size_t signal_stack_bytes = std::size_t{32} << 10;

// Plain pointers without a dynamic initializer: a signal handler may read them.
constinit thread_local const char* running = nullptr;

/// One per thread that ever ran plugin code; respects a stack that is there (sanitizers).
class signal_stack {
public:
    signal_stack() noexcept {
        stack_t there{};
        if (::sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;
        memory_.reset(new (std::nothrow) std::byte[signal_stack_bytes]);
        if (!memory_) return;
        stack_t ours{};
        ours.ss_sp = memory_.get();
        ours.ss_size = signal_stack_bytes;
        ::sigaltstack(&ours, nullptr);
    }
    signal_stack(const signal_stack&) = delete;
    signal_stack& operator=(const signal_stack&) = delete;
    ~signal_stack() {
        if (!memory_) return;
        stack_t none{};
        none.ss_flags = SS_DISABLE;
        ::sigaltstack(&none, nullptr);
    }

private:
    std::unique_ptr<std::byte[]> memory_;
};

}  // namespace

current_plugin::current_plugin(const std::string& name) noexcept : before_{running} {
    static thread_local const signal_stack stack;
    (void)stack;
    running = name.c_str();
}

current_plugin::~current_plugin() { running = before_; }

const char* current_plugin::name() noexcept { return running; }

}  // namespace flexcore::plugin
