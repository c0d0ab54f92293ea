// Appending: versions, positions, atomicity, what is refused.
#include "contract/harness.hpp"

#include <boost/json.hpp>

using namespace contract;

TEST_CASE("append: versions and positions follow each other without gaps", "[store][append]") {
    store_under_test store{each_backend()};
    CHECK(store.log().head() == 0);
    const auto first = appended(store.log(), {.stream = "a-1", .events = events(3)});
    CHECK(first.appends.at(0).first_version == 1);
    CHECK(first.appends.at(0).last_version == 3);
    CHECK(first.appends.at(0).first_position == 1);
    CHECK(first.appends.at(0).last_position == 3);
    CHECK(first.pos == 3);
    CHECK(first.ids.size() == 3);
    CHECK_FALSE(first.repeated);
    const auto second = appended(store.log(), {.stream = "b-1", .events = events(2)});
    CHECK(second.appends.at(0).first_version == 1);
    CHECK(second.appends.at(0).first_position == 4);
    const auto third = appended(store.log(), {.stream = "a-1"});
    CHECK(third.appends.at(0).first_version == 4);
    CHECK(third.pos == 6);
    CHECK(store.log().head() == 6);
}

TEST_CASE("append: every expectation on every state of a stream", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto conflict = make_error_code(store_errc::version_conflict);
    SECTION("an absent stream") {
        CHECK(append(log, {.stream = "s", .expected = any}));
        CHECK(append(log, {.stream = "t", .expected = none}));
        CHECK(append(log, {.stream = "u", .expected = at(0)}));
        CHECK(code_of(append(log, {.stream = "v", .expected = exists})) == conflict);
        CHECK(code_of(append(log, {.stream = "v", .expected = at(1)})) == conflict);
        CHECK(code_of(append(log, {.stream = "v", .expected = at(UINT64_MAX)})) == conflict);
        CHECK(log.head() == 3);
        CHECK(code_of(log.stream(tenant, "v")) == make_error_code(store_errc::stream_not_found));
    }
    SECTION("a present stream") {
        appended(log, {.stream = "s", .events = events(2)});
        CHECK(code_of(append(log, {.stream = "s", .expected = none})) == conflict);
        CHECK(code_of(append(log, {.stream = "s", .expected = at(0)})) == conflict);
        CHECK(code_of(append(log, {.stream = "s", .expected = at(1)})) == conflict);
        CHECK(code_of(append(log, {.stream = "s", .expected = at(3)})) == conflict);
        CHECK(log.head() == 2);
        CHECK(append(log, {.stream = "s", .expected = at(2)}));
        CHECK(append(log, {.stream = "s", .expected = exists}));
        CHECK(append(log, {.stream = "s", .expected = any}));
        CHECK(current_version(log, "s") == 5);
    }
}

TEST_CASE("append: a stale expected version is refused and writes nothing", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(3)});
    const auto refused = append(log, {.stream = "s", .expected = at(2)});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::version_conflict);
    REQUIRE(refused.error().members);
    CHECK(refused.error().members->at("current_version").to_number<int>() == 3);
    CHECK(log.head() == 3);
    CHECK(current_version(log, "s") == 3);
}

TEST_CASE("append: events come back as they went in", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const std::string large(300'000, 'x');
    const event full{.type = "sales.order_placed",
                     .tags = {"customer:17850", "country:uk"},
                     .data = R"({ "n" : 1.0, "t":"ünï" })",
                     .id = uuid_v7(),
                     .metadata = R"({"correlation_id":"c"})",
                     .schema_version = 7};
    const event plain{.data = "[1]"};
    const event huge{.data = "\"" + large + "\""};
    const auto outcome =
        appended(log, {.stream = "sales.order-1001", .events = {full, plain, huge}});
    const auto page = value(log.read_stream(tenant, "sales.order-1001", 0, 10, direction::forward));
    REQUIRE(page.batch->events.size() == 3);
    const auto& read = page.batch->events[0];
    CHECK(read.pos == 1);
    CHECK(read.ver == 1);
    CHECK(read.id == full.id);
    CHECK(read.recorded_at == outcome.recorded_at);
    CHECK(read.schema_version == 7);
    CHECK(read.tenant == "default");
    CHECK(read.stream == "sales.order-1001");
    CHECK(read.type == full.type);
    CHECK(read.data == full.data);
    CHECK(read.metadata == full.metadata);
    REQUIRE(read.tags.size() == 2);
    CHECK(read.tags[0] == "customer:17850");
    CHECK(read.tags[1] == "country:uk");
    CHECK(page.batch->events[1].metadata == "{}");
    CHECK(page.batch->events[1].tags.empty());
    CHECK_FALSE(page.batch->events[1].id.is_nil());
    CHECK(page.batch->events[1].id == outcome.ids.at(1));
    CHECK(page.batch->events[2].data == huge.data);
}

TEST_CASE("append: ids made by the log ascend", "[store][append]") {
    store_under_test store{each_backend()};
    uuid last;
    for (int i = 0; i < 20; ++i) {
        for (const auto& id : appended(store.log(), {.stream = "s", .events = events(5)}).ids) {
            CHECK(last < id);
            CHECK((id.bytes[6] & 0xf0) == 0x70);
            last = id;
        }
    }
}

TEST_CASE("append: several streams are written as one or not at all", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "b", .events = events(2)});
    const auto outcome =
        appended(log, {.appends = {{.stream = "a", .expected = none, .events = events(2)},
                                   {.stream = "b", .expected = at(2), .events = events(1)},
                                   {.stream = "c", .expected = any, .events = events(3)}}});
    REQUIRE(outcome.appends.size() == 3);
    CHECK(outcome.appends[0].first_position == 3);
    CHECK(outcome.appends[1].first_version == 3);
    CHECK(outcome.appends[1].first_position == 5);
    CHECK(outcome.appends[2].last_position == 8);
    CHECK(outcome.pos == 8);

    const auto refused = append(log, {.appends = {{.stream = "d", .expected = none},
                                                  {.stream = "a", .expected = at(1)},
                                                  {.stream = "b", .expected = at(3)},
                                                  {.stream = "c", .expected = none}},
                                      .condition = append_condition{{}, 2}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::version_conflict);
    const auto& failures = refused.error().members->at("failures").as_array();
    REQUIRE(failures.size() == 3);
    CHECK(failures[0].at("index").to_number<int>() == 1);
    CHECK(failures[0].at("code").as_string() == "version_conflict");
    CHECK(failures[0].at("current_version").to_number<int>() == 2);
    CHECK(failures[1].at("index").to_number<int>() == 3);
    CHECK(failures[1].at("current_version").to_number<int>() == 3);
    CHECK(failures[2].at("condition").as_bool());
    CHECK(failures[2].at("code").as_string() == "condition_failed");
    CHECK(failures[2].at("position").to_number<int>() == 3);
    CHECK(log.head() == 8);
    CHECK(code_of(log.stream(tenant, "d")) == make_error_code(store_errc::stream_not_found));
}

TEST_CASE("append: without events only the expectation is checked", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "a", .events = events(4)});
    const auto checked = appended(log, {.stream = "a", .expected = at(4), .events = {}});
    CHECK(checked.appends.at(0).first_version == 0);
    CHECK(checked.appends.at(0).last_version == 4);
    CHECK(checked.ids.empty());
    CHECK(checked.pos == 4);
    CHECK(code_of(append(log, {.stream = "a", .expected = at(3), .events = {}})) ==
          make_error_code(store_errc::version_conflict));
    // A check guards a write to another stream.
    CHECK(code_of(append(log, {.appends = {{.stream = "a", .expected = at(9), .events = {}},
                                           {.stream = "b"}}})) ==
          make_error_code(store_errc::version_conflict));
    const auto guarded = appended(
        log, {.appends = {{.stream = "a", .expected = at(4), .events = {}}, {.stream = "b"}}});
    CHECK(guarded.appends.at(0).last_version == 4);
    CHECK(guarded.pos == 5);
    CHECK(appended(log, {.stream = "never", .expected = none, .events = {}})
              .appends.at(0)
              .last_version == 0);
    CHECK(code_of(log.stream(tenant, "never")) == make_error_code(store_errc::stream_not_found));
}

TEST_CASE("append: what can never be written is refused at once", "[store][append]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto refused = [&](const request& from) {
        bool inside = false;
        std::error_code code;
        log.append(build(from), [&](result<append_outcome> answer) {
            inside = true;
            code = code_of(answer);
        });
        return inside && code == store_errc::invalid_request;
    };
    const uuid id = uuid_v7();
    CHECK(refused({}));
    CHECK(refused({.appends = {{.stream = "a"}, {.stream = "b"}, {.stream = "a"}}}));
    CHECK(refused({.appends = {{.stream = ""}}}));
    CHECK(refused({.appends = {{.stream = std::string(1025, 'x')}}}));
    CHECK(refused({.appends = {{.stream = "a"}}, .tenant = ""}));
    CHECK(refused({.appends = {{.stream = "a", .events = {{.type = ""}}}}}));
    CHECK(refused({.appends = {{.stream = "a", .events = {{.data = ""}}}}}));
    CHECK(refused({.appends = {{.stream = "a", .events = {{.tags = {"x", "y", "x"}}}}}}));
    CHECK(refused({.appends = {{.stream = "a", .events = {{.tags = {""}}}}}}));
    CHECK(refused({.appends = {{.stream = "a", .events = {{.id = id}, {.id = id}}}}}));
    CHECK(refused({.keys = {{.name = ""}}}));
    CHECK(refused({.keys = {{.name = std::string(1025, 'k')}}}));
    CHECK(refused({.keys = {{.name = "k"}, {.name = "k"}}}));
    CHECK(refused({.keys = {{.name = "k"}, {.name = "l"}, {.name = "m"}}}));
    CHECK(log.head() == 0);
    CHECK(append(log, {.stream = std::string(1024, 'x'), .events = {{.tags = {"x", "y"}}}}));
}

TEST_CASE("append: recorded_at never decreases with the position", "[store][append]") {
    store_under_test store{each_backend()};
    for (int i = 0; i < 50; ++i) appended(store.log(), {.stream = "s-" + std::to_string(i % 7)});
    const auto page = value(store.log().read_log({}, 0, 1000, direction::forward));
    REQUIRE(page.batch->events.size() == 50);
    unix_us last = 0;
    for (const auto& event : page.batch->events) {
        CHECK(event.recorded_at >= last);
        last = event.recorded_at;
    }
}

TEST_CASE("append: what was acknowledged is there after reopening", "[store][append]") {
    store_under_test store{each_keeping_backend()};
    const auto kept =
        appended(store.log(), {.appends = {{.stream = "a-1", .events = {{.tags = {"t:1"}}}},
                                           {.stream = "b-1", .events = events(2)}},
                               .keys = {{.name = "k", .answer = "answered"}}});
    store.reopen();
    event_log& log = store.log();
    CHECK(log.head() == 3);
    CHECK(current_version(log, "b-1") == 2);
    CHECK(value(log.read_event(tenant, kept.ids.at(0)))->events.at(0).tags.size() == 1);
    CHECK(value(log.find_answer(tenant, "k"))->answer == "answered");
    CHECK(code_of(append(log, {.stream = "b-1", .expected = at(1)})) ==
          make_error_code(store_errc::version_conflict));
    const auto next = appended(log, {.stream = "b-1", .expected = at(2)});
    CHECK(next.pos == 4);
    CHECK(next.recorded_at >= kept.recorded_at);
    CHECK(all_positions(log, {.what = {{.tags = {"t:1"}}}}) == std::vector<position>{1});
}
