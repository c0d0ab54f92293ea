#include "runtime/io_pool.hpp"

#include "wait.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <set>
#include <thread>
#include <vector>

using flexcore::runtime::io_pool;

TEST_CASE("io_pool: each context is run by one thread of its own") {
    io_pool pool{3};
    REQUIRE(pool.size() == 3);
    std::vector<std::set<std::thread::id>> seen(pool.size());  // each touched by its thread
    tally done;
    pool.start();
    for (int round = 0; round < 100; ++round)
        for (std::size_t i = 0; i < pool.size(); ++i)
            boost::asio::post(pool.at(i), [&, i] {
                seen[i].insert(std::this_thread::get_id());
                done.add();
            });
    REQUIRE(done.reached(300));
    pool.stop();
    std::set<std::thread::id> all;
    for (const auto& ids : seen) {
        CHECK(ids.size() == 1);
        all.insert(ids.begin(), ids.end());
    }
    CHECK(all.size() == 3);
}

TEST_CASE("io_pool: threads stay without work, and timers run") {
    io_pool pool{1};
    pool.start();
    tally done;
    boost::asio::steady_timer timer{pool.at(0), std::chrono::milliseconds{5}};
    timer.async_wait([&](const boost::system::error_code& e) {
        if (!e) done.add();
    });
    CHECK(done.reached(1));
    boost::asio::post(pool.at(0), [&] { done.add(); });
    CHECK(done.reached(2));
    pool.stop();
}

TEST_CASE("io_pool: stop ends threads that wait, and handlers left are destroyed unrun") {
    auto held = std::make_shared<int>(0);
    {
        io_pool pool{2};
        pool.start();
        pool.stop();
        pool.stop();
        boost::asio::post(pool.at(0), [held] { ++*held; });
        CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
    CHECK(*held == 0);
}
