#include "runtime/worker_pool.hpp"
#include "wait.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

using namespace flexcore::runtime;

TEST_CASE("serial_executor: never two tasks at once, in the order of each poster") {
    worker_pool pool{"work", 4};
    serial_executor strand{pool};
    constexpr int posters = 3;
    constexpr int each = 3000;
    std::atomic<int> inside = 0;
    bool alone = true;                            // touched inside the strand only
    std::vector<std::vector<int>> seen(posters);  // likewise
    tally done;
    {
        std::vector<std::jthread> threads;
        for (int p = 0; p < posters; ++p)
            threads.emplace_back([&, p] {
                for (int i = 0; i < each; ++i)
                    strand.post([&, p, i] {
                        alone = alone && ++inside == 1;
                        seen[static_cast<std::size_t>(p)].push_back(i);
                        --inside;
                        done.add();
                    });
            });
    }
    REQUIRE(done.reached(posters * each));
    pool.stop();
    CHECK(alone);
    for (const auto& mine : seen) {
        CHECK(mine.size() == each);
        CHECK(std::ranges::is_sorted(mine));
    }
}

TEST_CASE("serial_executor: does not run a task inside post") {
    worker_pool pool{"work", 1};
    serial_executor strand{pool};
    tally done;
    bool posted = false;
    std::atomic<bool> too_early = false;
    strand.post([&] {
        strand.post([&] {
            if (!posted) too_early = true;
            done.add();
        });
        posted = true;
    });
    REQUIRE(done.reached(1));
    CHECK_FALSE(too_early);
}

TEST_CASE("serial_executor: a busy strand leaves the thread to others") {
    worker_pool pool{"one", 1};
    serial_executor strand{pool};
    std::atomic<bool> other_ran = false;
    tally done;
    // Runs on and on, each task posting the next, until the pool's other task got its turn.
    std::function<void()> again = [&] {
        if (other_ran) {
            done.add();
        } else {
            strand.post([&] { again(); });
        }
    };
    strand.post([&] { again(); });
    pool.post([&] { other_ran = true; });
    CHECK(done.reached(1));
    other_ran = true;  // or the pool could not stop
}

TEST_CASE("serial_executor: its tasks run also when the object has gone") {
    tally done;
    worker_pool pool{"work", 2};
    std::latch go{1};
    {
        serial_executor strand{pool};
        strand.post([&] { go.wait(); });
        for (int i = 0; i < 10; ++i) strand.post([&] { done.add(); });
    }
    go.count_down();
    CHECK(done.reached(10));
}
