#include "runtime/worker_pool.hpp"

#include "wait.hpp"

#include <pthread.h>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <latch>
#include <set>
#include <thread>
#include <vector>

using namespace flexcore::runtime;

TEST_CASE("worker_pool: every task runs once, whoever posts") {
    worker_pool pool{"work", 3};
    constexpr int each = 5000;
    std::vector<std::atomic<int>> runs(4 * each);
    {
        std::vector<std::jthread> posters;
        for (int p = 0; p < 4; ++p)
            posters.emplace_back([&, p] {
                for (int i = 0; i < each; ++i)
                    pool.post([&, n = static_cast<std::size_t>(p * each + i)] { ++runs[n]; });
            });
    }
    pool.stop();
    CHECK(std::ranges::all_of(runs, [](const auto& n) { return n == 1; }));
    CHECK(pool.waiting() == 0);
}

TEST_CASE("worker_pool: tasks run at the same time, on as many named threads as asked for") {
    constexpr int threads = 3;
    worker_pool pool{"work", threads};
    std::latch all_inside{threads};
    std::mutex mutex;
    std::set<std::string> names;
    tally done;
    for (int i = 0; i < threads; ++i)
        pool.post([&] {
            all_inside.arrive_and_wait();  // passes only when all three are running
            std::array<char, 16> name{};
            ::pthread_getname_np(::pthread_self(), name.data(), name.size());
            {
                const std::lock_guard lock{mutex};
                names.insert(name.data());
            }
            done.add();
        });
    REQUIRE(done.reached(threads));
    CHECK(names == std::set<std::string>{"fc-work-0", "fc-work-1", "fc-work-2"});
}

TEST_CASE("worker_pool: one thread runs tasks in the order posted") {
    std::vector<int> order;
    {
        worker_pool pool{"one", 1};
        for (int i = 0; i < 1000; ++i) pool.post([&, i] { order.push_back(i); });
    }
    REQUIRE(order.size() == 1000);
    CHECK(std::ranges::is_sorted(order));
}

TEST_CASE("worker_pool: waiting counts what has not begun") {
    worker_pool pool{"one", 1};
    std::latch inside{1};
    std::latch go_on{1};
    pool.post([&] {
        inside.count_down();
        go_on.wait();
    });
    inside.wait();
    for (int i = 0; i < 5; ++i) pool.post([] {});
    CHECK(pool.waiting() == 5);
    go_on.count_down();
    pool.stop();
    CHECK(pool.waiting() == 0);
}

TEST_CASE("worker_pool: stop runs what is queued and what that posts") {
    worker_pool pool{"work", 2};
    std::atomic<int> ran = 0;
    std::function<void(int)> chain = [&](int left) {
        ++ran;
        if (left > 0) pool.post([&, left] { chain(left - 1); });
    };
    for (int i = 0; i < 10; ++i) pool.post([&] { chain(20); });
    pool.stop();
    CHECK(ran == 210);
}

TEST_CASE("worker_pool: what is posted after the stop is destroyed unrun") {
    worker_pool pool{"work", 1};
    pool.stop();
    pool.stop();
    auto held = std::make_shared<int>(0);
    pool.post([held] { ++*held; });
    CHECK(held.use_count() == 1);
    CHECK(*held == 0);
    CHECK(pool.waiting() == 0);
}
