#include "runtime/signals.hpp"

#include "child.hpp"
#include "wait.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <csignal>

using namespace flexcore::runtime;

TEST_CASE("child: stops in order", "[.child]") {
    tally asked;
    const stop_signal signals{[&] { asked.add(); }};
    say("ready");
    CHECK(asked.reached(1));
    say("stopped in order");
}

TEST_CASE("child: hangs while stopping", "[.child]") {
    tally never;
    const stop_signal signals{[] { say("asked"); }};
    say("ready");
    CHECK(never.reached(1));
}

TEST_CASE("stop_signal: the first SIGTERM or SIGINT asks for an ordered stop") {
    for (const int signal : {SIGTERM, SIGINT}) {
        child c{"child: stops in order"};
        REQUIRE(c.says("ready\n"));
        c.signal(signal);
        CHECK(c.says("stopped in order\n"));
        CHECK(c.status() == 0);
    }
}

TEST_CASE("stop_signal: the second signal ends a process whose stop hangs, with status 130") {
    child c{"child: hangs while stopping"};
    REQUIRE(c.says("ready\n"));
    c.signal(SIGTERM);
    REQUIRE(c.says("asked\n"));
    c.signal(SIGINT);
    CHECK(c.status() == 130);
}

TEST_CASE("stop_signal: leaves the thread's signals as they were") {
    sigset_t before{};
    sigset_t inside{};
    sigset_t after{};
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    {
        const stop_signal signals{[] {}};
        ::pthread_sigmask(SIG_SETMASK, nullptr, &inside);
    }
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    CHECK(::sigismember(&inside, SIGTERM) == 1);
    CHECK(::sigismember(&inside, SIGINT) == 1);
    for (const int signal : {SIGTERM, SIGINT})
        CHECK(::sigismember(&before, signal) == ::sigismember(&after, signal));
}

TEST_CASE("ignore_broken_pipes: writing to a closed pipe answers EPIPE") {
    ignore_broken_pipes();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    ::close(ends[0]);
    errno = 0;
    CHECK(::write(ends[1], "x", 1) == -1);
    CHECK(errno == EPIPE);
    ::close(ends[1]);
}
