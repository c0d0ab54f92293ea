// Many writers at once.
#include "contract/rules_fixture.hpp"

#include <set>
#include <thread>

using namespace contract;

TEST_CASE("racing: of writers with one expected version exactly one wins", "[store][racing]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> won{0};
        std::atomic<int> lost{0};
        std::vector<std::thread> racing;
        for (int t = 0; t < 8; ++t) {
            racing.emplace_back([&] {
                const auto answer =
                    append(log, {.stream = "s", .expected = at(static_cast<version>(round))});
                if (answer) {
                    ++won;
                } else if (answer.error().code == store_errc::version_conflict) {
                    ++lost;
                }
            });
        }
        for (auto& thread : racing) thread.join();
        CHECK(won == 1);
        CHECK(lost == 7);
    }
    CHECK(log.head() == 20);
}

TEST_CASE("racing: any never conflicts, with itself or others", "[store][racing]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::atomic<int> refused{0};
    std::vector<std::thread> racing;
    for (int t = 0; t < 8; ++t) {
        racing.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                if (!append(log, {.stream = "hot", .events = events(2)})) ++refused;
            }
        });
    }
    for (auto& thread : racing) thread.join();
    CHECK(refused == 0);
    CHECK(current_version(log, "hot") == 800);
    const auto page = value(log.read_stream(tenant, "hot", 0, 1000, direction::forward));
    std::vector<version> expected(800);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = i + 1;
    CHECK(versions(*page.batch) == expected);
}

TEST_CASE("racing: 64 threads hammer, and every acknowledged event is there once",
          "[store][racing]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    constexpr int threads = 64;
    constexpr int appends = 25;
    std::mutex mutex;
    std::map<uuid, position> acknowledged;
    std::atomic<bool> reading{true};
    std::atomic<bool> gap{false};
    // A reader that has seen n must never be shown anything below n for the first time.
    std::thread reader{[&] {
        position seen = 0;
        while (reading) {
            const auto page = log.read_log({}, seen, 500, direction::forward);
            if (!page) continue;
            for (const auto& event : page->batch->events) {
                if (event.pos != seen + 1) gap = true;
                seen = event.pos;
            }
        }
    }};
    std::vector<std::thread> hammering;
    for (int t = 0; t < threads; ++t) {
        hammering.emplace_back([&, t] {
            for (int i = 0; i < appends; ++i) {
                const auto answer =
                    append(log, {.appends = {{.stream = "s-" + std::to_string(t % 16)},
                                             {.stream = "t-" + std::to_string(i % 4)}}});
                if (!answer) continue;
                std::lock_guard lock{mutex};
                acknowledged[answer->ids[0]] = answer->appends[0].first_position;
                acknowledged[answer->ids[1]] = answer->appends[1].first_position;
            }
        });
    }
    for (auto& thread : hammering) thread.join();
    reading = false;
    reader.join();
    CHECK_FALSE(gap);
    CHECK(acknowledged.size() == threads * appends * 2);
    CHECK(log.head() == acknowledged.size());
    std::map<uuid, position> stored;
    position after = 0;
    for (;;) {
        const auto page = value(log.read_log({}, after, 1000, direction::forward));
        for (const auto& event : page.batch->events) stored[event.id] = event.pos;
        if (page.at_end) break;
        after = page.scanned_to;
    }
    CHECK(stored == acknowledged);
}

TEST_CASE("racing: a stream that is deleted and written again is read before or after, not both",
          "[store][racing]") {
    const auto& backend = each_backend();
    // Each first deletion of a log, and later ones.
    for (int round = 0; round < 10; ++round) {
        store_under_test store{backend};
        event_log& log = store.log();
        appended(log, {.stream = "s", .events = events(2)});
        std::atomic<bool> over{false};
        std::atomic<int> mixed{0};
        std::thread reader{[&] {
            while (!over) {
                const auto page = log.read_history(tenant, "s", 1, 1000);
                if (!page || page->batch->events.empty()) continue;
                // Each life of the stream has two events, written at once.
                if (page->batch->events.size() != 2 ||
                    page->base + 1 != page->batch->events.front().ver) {
                    ++mixed;
                }
            }
        }};
        for (int life = 0; life < 20; ++life) {
            value(soft_delete(log, "s"));
            appended(log, {.stream = "s", .expected = none, .events = events(2)});
        }
        over = true;
        reader.join();
        CHECK(mixed == 0);
    }
}
