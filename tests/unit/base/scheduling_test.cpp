#include "base/scheduling.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include <thread>

using namespace flexcore;

namespace {

struct scheduled {
    int nice = 0;
    int policy = 0;
};

scheduled of_this_thread() { return {::getpriority(PRIO_PROCESS, 0), ::sched_getscheduler(0)}; }

scheduled of_thread_after(void (*change)()) {
    scheduled found;
    std::thread{[&] {
        change();
        found = of_this_thread();
    }}.join();
    return found;
}

}  // namespace

TEST_CASE(
    "scheduling: a background thread yields to those that answer, its starter stays as it was") {
    const int before = of_this_thread().nice;
    CHECK(of_thread_after(run_in_background).nice > before);
    CHECK(of_this_thread().nice == before);
}

TEST_CASE("scheduling: a prompt thread keeps its priority and stays a normal one") {
    const scheduled before = of_this_thread();
    const scheduled prompt = of_thread_after(run_promptly);
    CHECK(prompt.nice == before.nice);
    CHECK(prompt.policy == SCHED_OTHER);
}
