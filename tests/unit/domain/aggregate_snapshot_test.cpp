// Snapshots save reading events, and never decide anything.
#include "unit/domain/counter_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

/// No aggregate stays in memory when its lane is idle.
domain::aggregate_settings forgetful() {
    domain::aggregate_settings settings;
    settings.cached_max = 0;
    settings.snapshot_every = 10;
    return settings;
}

}  // namespace

TEST_CASE("snapshots: an aggregate is read from its last snapshot on") {
    aggregate_world w{forgetful()};
    for (int i = 1; i <= 45; ++i) CHECK(w.send("add", 2).get()->result == std::to_string(2 * i));
    CHECK(w.counter->snapshots >= 3);
    CHECK(w.counter->restored > 0);
    const int folded = w.counter->evolved;
    const auto reply = w.send("add", 1).get();
    REQUIRE(reply);
    CHECK(reply->result == "91");
    CHECK(reply->ver == 46);
    CHECK(w.counter->evolved - folded <= 11);
    CHECK(w.counter->broken_folds == 0);
}

TEST_CASE("snapshots: a hot aggregate is kept as well, and a long stream that is loaded") {
    domain::aggregate_settings settings;
    settings.snapshot_every = 10;
    aggregate_world w{settings};
    for (int i = 0; i < 25; ++i) REQUIRE(w.send("add", 1).get());
    CHECK(w.counter->snapshots == 2);
    CHECK(w.base.store.snapshots->find("default", "counter-1", 1)->ver == 20);
    for (int i = 0; i < 600; ++i) REQUIRE(w.raw(1, "2"));
    CHECK(w.send("none", 1, "2").get()->result == "600");
    CHECK(w.base.store.snapshots->find("default", "counter-2", 1)->ver == 600);
}

TEST_CASE("snapshots: one that does not fit is passed over") {
    aggregate_world w{forgetful()};
    for (int i = 0; i < 5; ++i) REQUIRE(w.send("add", 1).get());
    const auto page = w.log.read_stream("default", "counter-1", 4, 1, store::direction::forward);
    store::snapshot wrong{.ver = 4, .event_id = page->batch->events.at(0).id, .state = "1000 4"};
    std::uint32_t reducer = 1;
    SECTION("of another reducer version") { reducer = 2; }
    SECTION("of another history") { wrong.event_id = uuid_v7(); }
    SECTION("beyond the end of the log") { wrong.ver = 99; }
    SECTION("that the aggregate does not take") { w.counter->refuse_snapshots = true; }
    w.base.store.snapshots->put("default", "counter-1", reducer, wrong);
    CHECK(w.send("none").get()->result == "5");
    CHECK(w.counter->restored == 0);
}

TEST_CASE("snapshots: those of a stream that was deleted are not used, and go") {
    aggregate_world w{forgetful()};
    for (int i = 0; i < 15; ++i) REQUIRE(w.send("add", 1).get());
    const auto old = w.base.store.snapshots->find("default", "counter-1", 1);
    REQUIRE(old);
    store::append_request request;
    request.tenant = "default";
    request.change = store::stream_change{.stream = "counter-1",
                                          .what = store::stream_change::kind::soft_delete,
                                          .expected = {},
                                          .settings = {}};
    mailbox<result<store::append_outcome>> box;
    w.base.store.log->append(std::move(request), box.receiver());
    REQUIRE(box.get());
    const auto give_up = monotonic::now() + patience;
    while (w.base.store.snapshots->find("default", "counter-1", 1) && monotonic::now() < give_up) {
        std::this_thread::yield();
    }
    CHECK_FALSE(w.base.store.snapshots->find("default", "counter-1", 1));
    w.base.store.snapshots->put("default", "counter-1", 1, *old);
    const auto reply = w.send("add", 1).get();
    REQUIRE(reply);
    CHECK(reply->result == "1");
    CHECK(reply->ver == 16);
}
