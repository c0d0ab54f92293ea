#include "store/sqlite/reader_pool.hpp"

#include <catch2/catch.hpp>

#include <thread>
#include <vector>

using flexcore::result;
using flexcore::store::store_errc;

namespace {

struct counted {
    static inline std::atomic<int> alive{0};
    static inline std::atomic<int> made{0};
    counted() { ++alive, ++made; }
    ~counted() { --alive; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    std::atomic<int> users{0};
};

using pool = flexcore::store::sqlite::reader_pool<counted>;

pool make_pool() {
    counted::made = 0;
    return pool{[]() -> result<std::unique_ptr<counted>> { return std::make_unique<counted>(); }};
}

}  // namespace

TEST_CASE("reader pool: a thread gets back the reader it used last", "[store][pool]") {
    auto readers = make_pool();
    counted* first = &**readers.lend();
    CHECK(&**readers.lend() == first);
    {
        auto one = readers.lend();
        auto two = readers.lend();
        CHECK(&**one != &**two);
    }
    CHECK(counted::made == 2);
    readers.lend()->discard();
    CHECK(counted::alive == 1);
}

TEST_CASE("reader pool: closing ends idle readers at once and lent ones when they return",
          "[store][pool]") {
    auto readers = make_pool();
    auto kept = readers.lend();
    {
        auto other = readers.lend();
    }
    CHECK(counted::alive == 2);
    readers.close();
    CHECK(counted::alive == 1);
    CHECK(readers.lend().error().code == store_errc::stopped);
    {
        auto gone = std::move(kept);
    }
    CHECK(counted::alive == 0);
}

TEST_CASE("reader pool: no reader is ever lent twice at a time", "[store][pool]") {
    std::atomic<int> shared{0};
    {
        auto readers = make_pool();
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 2000; ++i) {
                    auto lent = readers.lend();
                    if (!lent || ++(*lent)->users != 1) ++shared;
                    if (lent) --(*lent)->users;
                }
            });
        }
        for (auto& thread : threads) thread.join();
        CHECK(counted::made <= 8);
    }
    CHECK(shared == 0);
    CHECK(counted::alive == 0);
}

TEST_CASE("reader pool: a store that cannot be opened says so", "[store][pool]") {
    pool readers{[]() -> result<std::unique_ptr<counted>> {
        return flexcore::fail(store_errc::unavailable, "no");
    }};
    CHECK(readers.lend().error().code == store_errc::unavailable);
}
