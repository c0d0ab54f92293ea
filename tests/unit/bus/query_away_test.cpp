// Cached answers while the store is away.
#include "store/errc.hpp"
#include "unit/bus/query_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;
using namespace std::chrono_literals;

namespace {

std::string body_of(const store::row& row) { return row.key + ' ' + row.json; }

bus::query_settings stale_for(monotonic::duration allowed) {
    bus::query_settings settings;
    settings.stale_if_error = allowed;
    return settings;
}

}  // namespace

TEST_CASE("away: what is cached is answered with its age, as long as the settings allow") {
    query_world w{stale_for(1min)};
    w.put("1", "{}");
    auto handler = w.add_get();
    const auto fresh = w.ask().get();
    REQUIRE(fresh);
    CHECK((*fresh)->age == 0s);
    w.rows.away = true;
    w.rows.unseen = 3500ms;
    auto box = w.ask();
    CHECK_FALSE(box.empty());  // inside the call
    const auto aged = box.get();
    REQUIRE(aged);
    CHECK((*aged)->age == 4s);
    CHECK((*aged)->body == (*fresh)->body);
    CHECK((*aged)->etag == (*fresh)->etag);
    CHECK(handler->runs == 1);

    w.rows.unseen = 61s;
    const auto refused = w.ask().get();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store::store_errc::unavailable);

    w.rows.away = false;
    w.rows.unseen = 0s;
    const auto again = w.ask().get();
    REQUIRE(again);
    CHECK((*again)->age == 0s);
}

TEST_CASE("away: a store that is asked all the same answers as always") {
    query_world w{stale_for(0s)};
    w.put("1", "{}");
    auto handler = w.add_get();
    REQUIRE(w.ask().get());
    w.rows.unseen = 10s;
    const auto answer = w.ask().get();
    REQUIRE(answer);
    CHECK((*answer)->age == 0s);
    CHECK(handler->runs == 2);
}

TEST_CASE("away: what has changed, is another tenant's, or is not that far, is not answered") {
    query_world w{stale_for(1h)};
    w.put("1", "{}");
    auto handler = w.add_get();
    REQUIRE(w.ask().get());
    w.rows.away = true;
    w.rows.unseen = 10s;
    bus::query other;
    other.who.tenant = "other";
    CHECK_FALSE(w.ask(other).get());
    bus::query beyond;
    beyond.min_position = w.progress.at + 1;
    auto waits = w.ask(beyond);
    w.progress.answer(false);
    const auto behind = waits.get();
    REQUIRE_FALSE(behind);
    CHECK(behind.error().code == bus::bus_errc::read_model_behind);
    REQUIRE(w.ask().get());
    w.bump("1");
    CHECK_FALSE(w.ask().get());
}

TEST_CASE("away: parameters that ask the same share an answer then, too") {
    query_world w{stale_for(1min)};
    w.put("1", "{}");
    auto handler = w.add_get();
    bus::query one;
    one.params = R"({"a":1,"b":2})";
    REQUIRE(w.ask(one).get());
    w.rows.away = true;
    w.rows.unseen = 10s;
    one.params = R"({ "b":2, "a":1 })";
    const auto aged = w.ask(one).get();
    REQUIRE(aged);
    CHECK((*aged)->age == 10s);
    // What is kept under the other text is the answer, not its age then.
    w.rows.unseen = 0s;
    auto fresh = w.ask(one);
    CHECK_FALSE(fresh.empty());
    CHECK((*fresh.get())->age == 0s);
    CHECK(handler->runs == 1);
}

TEST_CASE("away: so are rows by their keys") {
    query_world w{stale_for(1min)};
    w.put("1", "{}");
    REQUIRE(w.queries.row("default", "items", "1", body_of));
    w.rows.away = true;
    w.rows.unseen = 2s;
    const auto aged = w.queries.row("default", "items", "1", body_of);
    REQUIRE(aged);
    CHECK((*aged)->age == 2s);
    CHECK(w.queries.row_in_cache("default", "items", "1")->age == 2s);
    CHECK_FALSE(w.queries.row("other", "items", "1", body_of));
    w.rows.unseen = 2min;
    CHECK(w.queries.row_in_cache("default", "items", "1") == nullptr);
    CHECK_FALSE(w.queries.row("default", "items", "1", body_of));
}
