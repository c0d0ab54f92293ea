#include "bus/event_bus.hpp"

#include "bus/errc.hpp"
#include "bus/event_ring_impl.hpp"
#include "unit/bus/fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

std::vector<event_texts::one> events(int count, const std::string& type = "t.happened") {
    return std::vector<event_texts::one>(static_cast<std::size_t>(count),
                                         {.type = type, .data = "{}", .tags = {}});
}

/// Takes until the head; positions in the order they came.
std::vector<store::position> drain(bus::subscriber& from, std::size_t limit = 100) {
    std::vector<store::position> seen;
    for (;;) {
        auto got = from.take(limit);
        REQUIRE(got.has_value());
        for (const auto& event : got->batch->events) seen.push_back(event.pos);
        REQUIRE(got->batch->events.size() <= limit);
        if (got->at_head) return seen;
    }
}

/// The same from memory alone.
std::vector<store::position> drain_live(bus::subscriber& from) {
    std::vector<store::position> seen;
    for (;;) {
        const auto got = from.take_live(100);
        REQUIRE(got.has_value());
        for (const auto& event : got->batch->events) seen.push_back(event.pos);
        if (got->at_head) return seen;
    }
}

std::vector<store::position> up_to(store::position last) {
    std::vector<store::position> all;
    for (store::position p = 1; p <= last; ++p) all.push_back(p);
    return all;
}

}  // namespace

TEST_CASE("event bus: a follower sees every event once, in order, from memory") {
    world w;
    auto follower = w.events->subscribe({}, 0);
    REQUIRE(follower);
    for (int i = 0; i < 10; ++i) REQUIRE(append(*w.store.log, "s-1", events(3)));
    CHECK(drain_live(**follower) == up_to(30));
    CHECK((*follower)->seen() == 30);
    CHECK(w.events->head() == 30);
}

TEST_CASE("event bus: a follower behind the ring reads the log and meets the live events") {
    world w{{.ring_events_max = 8}};
    auto follower = w.events->subscribe({}, 0);
    REQUIRE(follower);
    for (int i = 0; i < 30; ++i) REQUIRE(append(*w.store.log, "s-1", events(2)));
    CHECK_FALSE((*follower)->take_live(7));
    CHECK((*follower)->seen() == 0);
    CHECK(drain(**follower, 7) == up_to(60));
    REQUIRE(append(*w.store.log, "s-1", events(2)));
    CHECK(drain_live(**follower) == std::vector<store::position>{61, 62});
}

TEST_CASE("event bus: the ring is bounded in bytes") {
    world w{{.ring_bytes_max = 1'000}};
    auto follower = w.events->subscribe({}, 0);
    const event_texts::one large{
        .type = "t.large", .data = "\"" + std::string(600, 'x') + "\"", .tags = {}};
    for (int i = 0; i < 5; ++i) REQUIRE(append(*w.store.log, "s-1", {large}));
    CHECK_FALSE((*follower)->take_live(100));
    CHECK(drain(**follower) == up_to(5));
}

TEST_CASE("event bus: filters choose, and the position moves on while nothing matches") {
    const auto live = GENERATE(true, false);
    world w{{.ring_events_max = live ? 1'000u : 4u}};
    store::log_filter filter;
    filter.tenant = "b";
    filter.what = {{.types = {"t.wanted"}, .tags = {}, .categories = {}, .stream_prefix = {}}};
    auto follower = w.events->subscribe(filter, 0);
    REQUIRE(append(*w.store.log, "s-1", events(5, "t.wanted"), "a"));
    REQUIRE(append(*w.store.log, "s-1", events(5, "t.other"), "b"));
    REQUIRE(append(*w.store.log, "s-1", events(2, "t.wanted"), "b"));
    REQUIRE(append(*w.store.log, "s-1", events(5, "t.other"), "b"));
    CHECK(drain(**follower) == std::vector<store::position>{11, 12});
    CHECK((*follower)->seen() == 17);
}

TEST_CASE("event bus: a limit splits what is taken and loses nothing") {
    world w;
    store::log_filter filter;
    filter.tenant = "default";
    auto follower = w.events->subscribe(filter, 0);
    for (int i = 0; i < 5; ++i) REQUIRE(append(*w.store.log, "s-1", events(7)));
    CHECK(drain(**follower, 3) == up_to(35));
}

TEST_CASE("event bus: a follower begins after the position it names") {
    world w;
    REQUIRE(append(*w.store.log, "s-1", events(10)));
    auto follower = w.events->subscribe({}, 7);
    CHECK(drain(**follower) == std::vector<store::position>{8, 9, 10});
}

TEST_CASE("event bus: wait wakes at once when something lies beyond, else with the next commit") {
    world w;
    REQUIRE(append(*w.store.log, "s-1", events(1)));
    auto follower = w.events->subscribe({}, 0);
    int woken = 0;
    (*follower)->wait([&] { ++woken; });
    CHECK(woken == 1);
    (void)drain(**follower);

    mailbox<bool> first;
    mailbox<bool> second;
    (*follower)->wait([give = first.receiver()]() mutable { give(true); });
    (*follower)->wait([give = second.receiver()]() mutable { give(true); });
    REQUIRE(append(*w.store.log, "s-1", events(1)));
    CHECK(second.get());
    CHECK(first.empty());

    mailbox<bool> cancelled;
    (void)drain(**follower);
    (*follower)->wait([give = cancelled.receiver()]() mutable { give(true); });
    (*follower)->cancel_wait();
    REQUIRE(append(*w.store.log, "s-1", events(1)));
    CHECK(cancelled.empty());
}

TEST_CASE("event bus: followers beyond the limit are refused and leave room when they go") {
    world w{{.subscribers_max = 2}};
    auto one = w.events->subscribe({}, 0);
    auto two = w.events->subscribe({}, 0);
    const auto three = w.events->subscribe({}, 0);
    REQUIRE_FALSE(three);
    CHECK(three.error().code == bus::bus_errc::busy);
    one->reset();
    CHECK(w.events->subscribe({}, 0));
}

TEST_CASE("event bus: commit listeners run before the writer is answered") {
    world w;
    std::atomic<store::position> heard{0};
    w.events->on_commit([&](const store::commit& c) { heard = c.batch->events.back().pos; });
    for (int i = 0; i < 50; ++i) {
        const auto written = append(*w.store.log, "s-1", events(2));
        REQUIRE(written);
        CHECK(heard.load() >= written->pos);
    }
}

TEST_CASE("event bus: followers that sleep and wake while writers write miss nothing") {
    world w{{.ring_events_max = 64}};
    constexpr store::position total = 4'000;
    std::vector<std::thread> followers;
    std::atomic<int> complete{0};
    for (int f = 0; f < 3; ++f) {
        followers.emplace_back([&w, &complete] {
            auto follower = w.events->subscribe({}, 0);
            store::position next = 1;
            while (next <= total) {
                auto got = (*follower)->take(50);
                if (!got) return;
                for (const auto& event : got->batch->events) {
                    if (event.pos != next++) return;
                }
                if (!got->at_head || next > total) continue;
                mailbox<bool> woken;
                (*follower)->wait([give = woken.receiver()]() mutable { give(true); });
                (void)woken.get();
            }
            complete.fetch_add(1);
        });
    }
    std::vector<std::thread> writers;
    for (int t = 0; t < 2; ++t) {
        writers.emplace_back([&w, t] {
            for (store::position i = 0; i < total / 4; ++i) {
                (void)append(*w.store.log, "s-" + std::to_string(t), events(2));
            }
        });
    }
    for (auto& writer : writers) writer.join();
    for (auto& follower : followers) follower.join();
    CHECK(complete.load() == 3);
}

TEST_CASE("event bus: a tenant's followers are not shown what is not served any more") {
    world w;
    auto own = w.events->subscribe({.tenant = "default", .what = {}, .since = {}}, 0);
    auto other = w.events->subscribe({.tenant = "other", .what = {}, .since = {}}, 0);
    auto everything = w.events->subscribe({}, 0);
    REQUIRE((own && other && everything));
    REQUIRE(append(*w.store.log, "s-1", events(3)));
    store::append_request change;
    change.tenant = "default";
    change.change =
        store::stream_change{.stream = "s-1",
                             .expected = {},
                             .settings = {.max_age_s = {}, .max_count = 1, .truncate_before = {}}};
    mailbox<result<store::append_outcome>> box;
    w.store.log->append(std::move(change), box.receiver());
    REQUIRE(box.get());
    CHECK_FALSE((*own)->take_live(100));
    CHECK(drain(**own) == std::vector<store::position>{3});
    // Who is not concerned goes on from memory.
    CHECK(drain_live(**other).empty());
    CHECK(drain_live(**everything) == up_to(3));
    CHECK((*own)->take_live(100));
}

TEST_CASE("event bus: what is passed over wakes who waits and leaves nothing older in memory") {
    bus::event_ring ring{{}, 3};
    const auto batch_at = [](store::position pos) {
        auto made = std::make_shared<store::event_batch>();
        made->events.emplace_back().pos = pos;
        return made;
    };
    ring.publish(batch_at(4));
    int woken = 0;
    ring.wait(&ring, 4, [&] { ++woken; });
    ring.pass_over(900);
    CHECK(woken == 1);
    CHECK(ring.head() == 900);
    CHECK(ring.batches_after(3, 10).empty());
    CHECK(ring.batches_after(899, 10).empty());
    ring.publish(batch_at(901));
    CHECK(ring.batches_after(899, 10).empty());
    CHECK(ring.batches_after(900, 10).size() == 1);
}

TEST_CASE("events: what others wrote before anybody listened is not in memory, and not missed") {
    bus::event_ring ring{{}, 5};
    int woken = 0;
    ring.begin_at(8);
    CHECK(ring.head() == 8);
    ring.wait(&woken, 5, [&] { ++woken; });  // there is more already: in the log
    CHECK(woken == 1);
    CHECK(ring.batches_after(5, 10).empty());
    auto batch = std::make_shared<store::event_batch>();
    batch->events.emplace_back().pos = 9;
    ring.publish(batch);
    CHECK(ring.batches_after(5, 10).empty());
    CHECK(ring.batches_after(8, 10).size() == 1);
    ring.begin_at(20);  // who publishes knows better
    CHECK(ring.head() == 9);
}
