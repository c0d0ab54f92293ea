#include "unit/domain/counter_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

/// Every event that a command wrote must have been decided on exactly what lies before it.
std::int64_t check_stream(aggregate_world& w, const std::string& id) {
    std::int64_t total = 0;
    for (const auto& page : read_pages(w.log, "counter-" + id)) {
        for (const auto& event : page->events) {
            const auto before = number_in(event.data, "before");
            if (before >= 0 && before != total) {
                FAIL("version " << event.ver << " was decided on " << before << ", not " << total);
            }
            total += number_in(event.data, "by");
        }
    }
    return total;
}

}  // namespace

TEST_CASE("aggregate race: commands and raw appends on hot streams lose no update") {
    aggregate_world w{{.attempts_max = 1'000}};
    constexpr int streams = 2;
    std::atomic<int> unexpected{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::vector<std::pair<int, reply_box>> open;
            for (int i = 0; i < 400; ++i) {
                const int which = (i + t) % streams;
                auto cmd =
                    w.command(i % 3 == 0 ? "add_if_even" : "add", 1 + i % 2, std::to_string(which));
                if (i % 7 == 0) cmd.keys = {"k" + std::to_string(t) + "." + std::to_string(i)};
                open.emplace_back(which, w.send(std::move(cmd)));
                if (open.size() < 8) continue;
                for (auto& [of, box] : open) {
                    const auto reply = box.get();
                    if (reply) {
                        const auto& last = reply->events.back();
                        if (last.ver != reply->ver || last.pos != reply->pos)
                            unexpected.fetch_add(1);
                    } else if (reason_of(reply) != "odd") {
                        unexpected.fetch_add(1);
                    }
                }
                open.clear();
            }
            for (auto& [of, box] : open) [[maybe_unused]]
                const auto ended = box.get();
        });
    }
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 200; ++i) {
                if (!w.raw(1, std::to_string(t % streams))) unexpected.fetch_add(1);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(unexpected == 0);
    for (int s = 0; s < streams; ++s) {
        const auto total = check_stream(w, std::to_string(s));
        CHECK(w.send("none", 1, std::to_string(s)).get()->result == std::to_string(total));
    }
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("aggregate race: failing appends lose nothing that was acknowledged") {
    aggregate_world w;
    std::atomic<int> count{0};
    w.log.before([&](const store::append_request&) -> std::optional<error> {
        if (count.fetch_add(1) % 3 != 0) return std::nullopt;
        return error{store::store_errc::busy, "try again"};
    });
    std::atomic<std::int64_t> acknowledged{0};
    std::atomic<int> unexpected{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
                const auto reply = w.send(i % 2 == 0 ? "add" : "add_if_even").get();
                if (reply) {
                    acknowledged.fetch_add(1);
                } else if (reply.error().code != store::store_errc::busy &&
                           reason_of(reply) != "odd") {
                    unexpected.fetch_add(1);
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(unexpected == 0);
    CHECK(check_stream(w, "1") == acknowledged);
}

TEST_CASE("aggregate race: thousands of aggregates at once, more than the cache holds") {
    aggregate_world w{{.cached_max = 500}};
    constexpr int aggregates = 2'000;
    constexpr int rounds = 3;
    std::vector<reply_box> boxes;
    boxes.reserve(static_cast<std::size_t>(aggregates) * rounds);
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < aggregates; ++i) {
            boxes.push_back(w.send("add", 1, std::to_string(i)));
        }
    }
    int wrong = 0;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const auto reply = boxes[i].get();
        if (!reply || reply->ver != i / aggregates + 1) ++wrong;
    }
    CHECK(wrong == 0);
    CHECK(w.log.head() == static_cast<store::position>(aggregates) * rounds);
    CHECK(eventually([&] { return w.counter->states <= 500; }));
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("aggregate race: removing a category while commands run drains cleanly") {
    for (int round = 0; round < 20; ++round) {
        aggregate_world w;
        std::atomic<bool> over{false};
        std::atomic<int> unexpected{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; !over; ++i) {
                    const auto reply = w.send("add", 1, std::to_string((i + t) % 5)).get();
                    if (!reply && reply.error().code != bus::bus_errc::unavailable) {
                        unexpected.fetch_add(1);
                    }
                }
            });
        }
        REQUIRE(eventually([&] { return w.log.head() > 20; }));
        mailbox<int> drained;
        w.runtime.remove("counter", [&] { drained.receiver()(w.counter->states.load()); });
        CHECK(drained.get() == 0);
        over = true;
        for (auto& thread : threads) thread.join();
        CHECK(unexpected == 0);
    }
}

TEST_CASE("aggregate race: answered by another thread, a lane goes on though decide is inside") {
    aggregate_world w;
    REQUIRE(w.send("add", 1).get());
    const auto blocked = w.send("blocked");
    REQUIRE(eventually([&] {
        const std::lock_guard lock{w.counter->mutex};
        return w.counter->silent.size() == 1;
    }));
    const auto waits = w.send("add", 1);
    {
        const std::lock_guard lock{w.counter->mutex};
        w.counter->silent.front()(fail(bus::bus_errc::deadline_exceeded, "not in time"));
        w.counter->silent.clear();
    }
    CHECK(blocked.get().error().code == bus::bus_errc::deadline_exceeded);
    CHECK(waits.get()->result == "2");
    // A category is not drained as long as somebody is inside.
    std::atomic<bool> drained{false};
    w.runtime.remove("counter", [&] { drained = true; });
    CHECK_FALSE(drained);
    w.counter->go_on = true;
    CHECK(eventually([&] { return drained.load(); }));
    CHECK(w.counter->states == 0);
}

TEST_CASE("aggregate race: wrong input waits for its turn and leaves the state in use") {
    aggregate_world w;
    w.log.hold();
    const auto first = w.send("add", 1);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto second = w.send("add", 2);
    const auto wrong = w.send("invalid");
    w.log.release(true);
    REQUIRE(first.get());
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    CHECK(wrong.empty());
    w.log.release();
    CHECK(second.get());
    CHECK(wrong.get().error().code == bus::bus_errc::validation_failed);
    CHECK(wrong.get().error().client == "wrong in itself");
    const int reads = w.log.stream_reads;
    CHECK(w.send("add", 1).get()->result == "4");
    CHECK(w.log.stream_reads == reads);
}
