#include "runtime/timers.hpp"

#include "wait.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace flexcore;
using namespace flexcore::runtime;
using namespace std::chrono_literals;

TEST_CASE("timers: work runs at its time, never before") {
    timers clock;
    tally done;
    const auto when = monotonic::now() + 20ms;
    monotonic::time_point ran;
    clock.at(when, [&] {
        ran = monotonic::now();
        done.add();
    });
    REQUIRE(done.reached(1));
    CHECK(ran >= when);
}

TEST_CASE("timers: the earlier deadline runs first, equal ones in the order they were set") {
    timers clock;
    tally done;
    std::vector<int> order;  // touched on the timer thread only
    const auto base = monotonic::now() + 50ms;
    for (const int i : {3, 1, 2})
        clock.at(base + i * 1ms, [&, i] {
            order.push_back(i);
            done.add();
        });
    for (const int i : {10, 11, 12})
        clock.at(base + 4ms, [&, i] {
            order.push_back(i);
            done.add();
        });
    REQUIRE(done.reached(6));
    CHECK(order == std::vector{1, 2, 3, 10, 11, 12});
}

TEST_CASE("timers: a deadline in the past runs at once, on the timer thread") {
    timers clock;
    tally done;
    std::thread::id where;
    clock.at(monotonic::now() - 1h, [&] {
        where = std::this_thread::get_id();
        done.add();
    });
    REQUIRE(done.reached(1));
    CHECK(where != std::this_thread::get_id());
}

TEST_CASE("timers: a cancelled callback never runs and lets go of what it holds") {
    timers clock;
    auto held = std::make_shared<int>(0);
    const timer_id id = clock.after(1h, [held] { ++*held; });
    CHECK(id != 0);
    CHECK(clock.cancel(id));
    CHECK(held.use_count() == 1);
    CHECK_FALSE(clock.cancel(id));
    CHECK_FALSE(clock.cancel(0));
    CHECK_FALSE(clock.cancel(id + 1000));
}

TEST_CASE("timers: cancel answers false for what runs or has run") {
    timers clock;
    tally done;
    std::latch inside{1};
    std::latch go_on{1};
    const timer_id id = clock.after(0s, [&] {
        inside.count_down();
        go_on.wait();
        done.add();
    });
    inside.wait();
    CHECK_FALSE(clock.cancel(id));
    go_on.count_down();
    REQUIRE(done.reached(1));
    CHECK_FALSE(clock.cancel(id));
}

TEST_CASE("timers: a new earlier deadline overtakes the one waited for") {
    timers clock;
    tally done;
    const timer_id late = clock.after(1h, [] {});
    clock.after(1ms, [&] { done.add(); });
    CHECK(done.reached(1));
    CHECK(clock.cancel(late));
}

TEST_CASE("timers: no deadline is never reached and breaks nothing") {
    timers clock;
    tally done;
    const timer_id never = clock.at(no_deadline, [] {});
    const timer_id far = clock.after(monotonic::duration::max(), [] {});
    clock.after(1ms, [&] { done.add(); });
    CHECK(done.reached(1));
    CHECK(clock.cancel(never));
    CHECK(clock.cancel(far));
}

TEST_CASE("timers: callbacks may set and cancel timers") {
    timers clock;
    tally done;
    std::function<void(int)> again = [&](int left) {
        const timer_id other = clock.after(1h, [] {});
        if (!clock.cancel(other)) return;
        if (left > 0) {
            clock.after(0s, [&, left] { again(left - 1); });
        } else {
            done.add();
        }
    };
    clock.after(0s, [&] { again(100); });
    CHECK(done.reached(1));
}

TEST_CASE("timers: stop drops what is pending and nothing runs afterwards") {
    std::atomic<int> ran = 0;
    auto held = std::make_shared<int>(0);
    timers clock;
    clock.after(1h, [&, held] { ++ran; });
    clock.stop();
    clock.stop();
    CHECK(held.use_count() == 1);
    const timer_id id = clock.after(0s, [&, held] { ++ran; });
    CHECK(held.use_count() == 1);
    CHECK_FALSE(clock.cancel(id));
    CHECK(ran == 0);
}

TEST_CASE("timers: each of many timers from many threads runs or is cancelled, never both") {
    constexpr int threads = 4;
    constexpr int each = 2000;
    std::atomic<int> ran = 0;
    std::atomic<int> cancelled = 0;
    timers clock;
    {
        std::vector<std::jthread> setters;
        for (int t = 0; t < threads; ++t)
            setters.emplace_back([&] {
                for (int i = 0; i < each; ++i) {
                    const timer_id id = clock.after(i % 50 * 10us, [&] { ++ran; });
                    if (i % 2 == 0 && clock.cancel(id)) ++cancelled;
                }
            });
    }
    tally done;
    clock.after(10ms, [&] { done.add(); });  // behind all the others
    REQUIRE(done.reached(1));
    CHECK(ran + cancelled == threads * each);
}
