// Aggregates whose streams are cut short, deleted and written again.
#include "unit/domain/counter_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

using kind = store::stream_change::kind;

void change(aggregate_world& w, kind what, store::stream_settings settings = {}) {
    store::append_request request;
    request.tenant = "default";
    request.change = store::stream_change{
        .stream = "counter-1", .what = what, .expected = {}, .settings = settings};
    mailbox<result<store::append_outcome>> box;
    w.base.store.log->append(std::move(request), box.receiver());
    REQUIRE(box.get());
}

}  // namespace

TEST_CASE("aggregates: what settings hide from readers is folded all the same") {
    aggregate_world w;
    for (int i = 0; i < 5; ++i) REQUIRE(w.send("add", 2).get());
    change(w, kind::settings, {.max_age_s = {}, .max_count = 1, .truncate_before = {}});
    CHECK(w.log.read_stream("default", "counter-1", 0, 10, store::direction::forward)
              ->batch->events.size() == 1);
    const auto reply = w.send("add", 1).get();
    REQUIRE(reply);
    CHECK(reply->result == "11");
    CHECK(reply->ver == 6);
}

TEST_CASE("aggregates: one that was deleted begins anew, its versions go on") {
    aggregate_world w;
    const bool cached = GENERATE(true, false);
    REQUIRE(w.send("add", 3).get());
    REQUIRE(w.raw(4));
    if (cached) CHECK(w.send("none").get()->result == "7");
    change(w, kind::soft_delete);
    auto expecting = w.command("none");
    expecting.cmd.expected = store::expected_version{store::expected_version::rule::none, 0};
    const auto fresh = w.send(expecting).get();
    REQUIRE(fresh);
    CHECK(fresh->result == "0");
    CHECK(fresh->ver == 0);
    auto stale = w.command("add", 1);
    stale.cmd.expected = store::expected_version{store::expected_version::rule::exact, 2};
    CHECK_FALSE(w.send(stale).get());
    const auto first = w.send("add", 5).get();
    REQUIRE(first);
    CHECK(first->result == "5");
    CHECK(first->ver == 3);
    CHECK(first->events.at(0).ver == 3);
    const auto second = w.send("add", 1).get();
    REQUIRE(second);
    CHECK(second->result == "6");
    CHECK(second->ver == 4);
}

TEST_CASE("aggregates: a deletion by another way is seen by the next command, however often") {
    aggregate_world w;
    store::version at = 0;
    for (int round = 0; round < 20; ++round) {
        for (int i = 1; i <= 3; ++i) {
            const auto reply = w.send("add", 1).get();
            REQUIRE(reply);
            CHECK(reply->result == std::to_string(i));
            CHECK(reply->ver == ++at);
        }
        change(w, kind::soft_delete);
        CHECK(w.send("none").get()->result == "0");
        if (round % 2 == 0) {
            REQUIRE(w.raw(7));
            ++at;
            CHECK(w.send("none").get()->result == "7");
            change(w, kind::soft_delete);
        }
    }
}

TEST_CASE("aggregates: one that was deleted between its decision and its write is decided anew") {
    aggregate_world w;
    REQUIRE(w.send("add", 3).get());
    w.log.hold();
    auto held = w.send("add", 1);
    while (w.log.held() == 0) std::this_thread::yield();
    change(w, kind::soft_delete);
    w.log.release();
    const auto reply = held.get();
    REQUIRE(reply);
    CHECK(reply->result == "1");
    CHECK(reply->ver == 2);
}

TEST_CASE("aggregates: written and deleted meanwhile, one that was not there begins further on") {
    aggregate_world w;
    w.log.hold();
    auto held = w.send("add", 1);
    while (w.log.held() == 0) std::this_thread::yield();
    REQUIRE(w.raw(9));
    REQUIRE(w.raw(9));
    change(w, kind::soft_delete);
    w.log.release();
    const auto reply = held.get();
    REQUIRE(reply);
    CHECK(reply->result == "1");
    CHECK(reply->ver == 3);
    CHECK(reply->events.at(0).ver == 3);
    CHECK(w.send("add", 1).get()->ver == 4);
}

TEST_CASE("aggregates: one that is gone for good takes no more commands") {
    aggregate_world w;
    REQUIRE(w.send("add", 3).get());
    change(w, kind::tombstone);
    for (const auto* type : {"add", "none", "refuse"}) {
        const auto reply = w.send(type).get();
        REQUIRE_FALSE(reply);
        CHECK(reply.error().code == store::store_errc::stream_deleted);
    }
}
