#include "runtime/thread.hpp"

#include "base/check.hpp"
#include "child.hpp"
#include "runtime/worker_pool.hpp"

#include <pthread.h>

#include <catch2/catch.hpp>

#include <array>
#include <csignal>
#include <stdexcept>

using namespace flexcore::runtime;

namespace {

std::string this_thread_name() {
    std::array<char, 16> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    return name.data();
}

}  // namespace

TEST_CASE("start_thread: names the thread, cut to what the kernel takes") {
    std::string seen;
    start_thread("writer", [&] { seen = this_thread_name(); }).join();
    CHECK(seen == "fc-writer");
    start_thread("a-rather-long-name", [&] { seen = this_thread_name(); }).join();
    CHECK(seen == "fc-a-rather-lon");
}

TEST_CASE("child: a task throws", "[.child]") {
    ::signal(SIGABRT, SIG_DFL);  // Catch2 would report from the signal handler
    worker_pool pool{"work", 1};
    pool.post([] { throw std::runtime_error{"the reason"}; });
    pool.stop();
}

TEST_CASE("run_task: an exception that leaves a task ends the process and says which") {
    child c{"child: a task throws"};
    CHECK(c.says("flexcore: defect: an exception left a task on thread fc-work-0: the reason\n"));
    CHECK(c.status() == 128 + SIGABRT);
}

TEST_CASE("child: a check fails", "[.child]") {
    ::signal(SIGABRT, SIG_DFL);
    const int two = 2;
    FLEXCORE_CHECK(two + two == 5);
}

TEST_CASE("FLEXCORE_CHECK: a failed check ends the process and says where") {
    child c{"child: a check fails"};
    CHECK(c.says("thread_test.cpp:"));
    CHECK(c.says(": two + two == 5\n"));
    CHECK(c.status() == 128 + SIGABRT);
}
