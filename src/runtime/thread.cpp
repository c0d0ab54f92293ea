#include "runtime/thread.hpp"

#include <pthread.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace flexcore::runtime {
namespace {

constexpr std::size_t thread_name_bytes_max = 15;  // of the kernel

[[noreturn]] void die_of_exception(const char* what) noexcept {
    char name[16] = "?";
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    std::fprintf(stderr, "flexcore: defect: an exception left a task on thread %s: %s\n", name,
                 what);
    std::abort();
}

}  // namespace

void name_this_thread(const std::string& name) {
    ::pthread_setname_np(::pthread_self(), ("fc-" + name).substr(0, thread_name_bytes_max).c_str());
}

void run_task(task& work) noexcept {
    try {
        work();
    } catch (const std::exception& e) {
        die_of_exception(e.what());
    } catch (...) {
        die_of_exception("not a std::exception");
    }
}

std::thread start_thread(std::string name, task body) {
    return std::thread{[name = std::move(name), body = std::move(body)]() mutable {
        name_this_thread(name);
        run_task(body);
    }};
}

}  // namespace flexcore::runtime
