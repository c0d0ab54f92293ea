#include "unit/domain/counter_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

bus::accepted_command keyed(std::string type, const std::string& key, std::int64_t by = 1) {
    auto cmd = aggregate_world::command(std::move(type), by);
    cmd.keys = {"k\x1f\x1f" + key};
    return cmd;
}

void check_same(const bus::command_reply& again, const bus::command_reply& first) {
    CHECK(again.replayed);
    CHECK(again.command_id == first.command_id);
    CHECK(again.stream == first.stream);
    CHECK(again.ver == first.ver);
    CHECK(again.pos == first.pos);
    CHECK(again.result == first.result);
    REQUIRE(again.events.size() == first.events.size());
    for (std::size_t i = 0; i < first.events.size(); ++i) {
        CHECK(again.events[i].id == first.events[i].id);
        CHECK(again.events[i].type == first.events[i].type);
        CHECK(again.events[i].ver == first.events[i].ver);
        CHECK(again.events[i].pos == first.events[i].pos);
    }
}

}  // namespace

TEST_CASE("command keys: the same command again gets the first answer and has no effect") {
    const auto in_transaction = GENERATE(false, true);
    aggregate_world w;
    // Without the look before, the store's own check in the transaction has to find it.
    w.log.forgetful = in_transaction;
    const auto first = w.send(keyed("add", "k", 5)).get();
    REQUIRE(first);
    REQUIRE(w.send("add", 1).get());
    const int decided = w.counter->decided;
    const auto again = w.send(keyed("add", "k", 5)).get();
    REQUIRE(again);
    check_same(*again, *first);
    CHECK(w.log.head() == 2);
    if (!in_transaction) CHECK(w.counter->decided == decided);
    CHECK(w.send("none").get()->result == "6");
}

TEST_CASE("command keys: a refusal is remembered, whatever happens to the aggregate") {
    const auto in_transaction = GENERATE(false, true);
    aggregate_world w;
    w.log.forgetful = in_transaction;
    REQUIRE(w.send("add", 1).get());
    const auto first = w.send(keyed("add_if_even", "k")).get();
    CHECK(reason_of(first) == "odd");
    REQUIRE(w.send("add", 1).get());
    const auto again = w.send(keyed("add_if_even", "k")).get();
    REQUIRE_FALSE(again);
    CHECK(reason_of(again) == "odd");
    CHECK(again.error().client == first.error().client);
    CHECK(again.error().members->at("replayed") == true);
    CHECK(w.log.head() == 2);
}

TEST_CASE("command keys: a known key with another command is a conflict") {
    const auto in_transaction = GENERATE(false, true);
    aggregate_world w;
    w.log.forgetful = in_transaction;
    REQUIRE(w.send(keyed("add", "k", 1)).get());
    const auto other = w.send(keyed("add", "k", 2)).get();
    REQUIRE_FALSE(other);
    CHECK(other.error().code == bus::bus_errc::idempotency_conflict);
    CHECK(w.log.head() == 1);
}

TEST_CASE("command keys: what fails for other reasons keeps no key") {
    aggregate_world w;
    CHECK_FALSE(w.send(keyed("fail", "k")).get());
    CHECK(w.send(keyed("invalid", "k")).get().error().code == bus::bus_errc::validation_failed);
    auto expecting = keyed("add", "l");
    expecting.cmd.expected = {.what = store::expected_version::rule::exists, .exact = 0};
    CHECK_FALSE(w.send(expecting).get());
    REQUIRE(w.send("add").get());
    const auto now = w.send(expecting).get();
    REQUIRE(now);
    CHECK_FALSE(now->replayed);
    auto other = keyed("add", "k");
    CHECK_FALSE(w.send(other).get()->replayed);
}

TEST_CASE("command keys: command_id and Idempotency-Key both bring the answer back") {
    aggregate_world w;
    auto cmd = keyed("add", "header", 7);
    cmd.keys.push_back("c\x1f\x1f" + cmd.cmd.command_id->to_string());
    const auto first = w.send(cmd).get();
    REQUIRE(first);
    for (const auto& key : cmd.keys) {
        auto again = cmd;
        again.keys = {key};
        check_same(*w.send(again).get(), *first);
    }
}

TEST_CASE("command keys: commands with and without keys share a lane, each with its own answer") {
    aggregate_world w;
    w.log.hold();
    std::vector<reply_box> boxes;
    boxes.push_back(w.send("add"));
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    for (int i = 1; i < 30; ++i) {
        boxes.push_back(i % 3 == 0 ? w.send(keyed("add", "k" + std::to_string(i))) : w.send("add"));
    }
    w.log.release();
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const auto reply = boxes[i].get();
        REQUIRE(reply);
        CHECK(reply->result == std::to_string(i + 1));
        CHECK(reply->ver == i + 1);
    }
    const auto replayed = w.send(keyed("add", "k3")).get();
    REQUIRE(replayed);
    CHECK(replayed->ver == 4);
}

TEST_CASE("command keys: commands decided before a replayed one are decided again and written") {
    aggregate_world w;
    w.log.forgetful = true;
    REQUIRE(w.send(keyed("add", "k", 1)).get());
    w.log.hold();
    const auto first = w.send("add", 1);
    REQUIRE(eventually([&] { return w.log.held() == 1; }));
    const auto plain = w.send("add", 1);
    const auto replayed = w.send(keyed("add", "k", 1));
    w.log.release();
    CHECK(first.get()->result == "2");
    CHECK(plain.get()->result == "3");
    CHECK(replayed.get()->replayed);
    CHECK(w.log.head() == 3);
}
