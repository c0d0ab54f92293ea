// What a stream's settings take away is gone at once, everywhere.
#include "contract/rules_fixture.hpp"

using namespace contract;

TEST_CASE("retention: max count serves the last events, both ways, at the edges",
          "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(5)});
    value(set(log, "s", {.max_count = 3}));
    CHECK(served(log, "s") == list{3, 4, 5});
    CHECK(served(log, "s", direction::backward) == list{5, 4, 3});
    CHECK(served(log, "s", direction::forward, 1) == list{3, 4, 5});
    CHECK(served(log, "s", direction::backward, 1) == list{5, 4, 3});
    const auto page = [&](version from, std::size_t limit, direction way) {
        return value(log.read_stream(tenant, "s", from, limit, way));
    };
    CHECK(versions(*page(1, 10, direction::forward).batch) == list{3, 4, 5});
    CHECK(versions(*page(4, 10, direction::forward).batch) == list{4, 5});
    CHECK(page(6, 10, direction::forward).batch->events.empty());
    CHECK(versions(*page(3, 10, direction::backward).batch) == list{3});
    CHECK(page(3, 1, direction::backward).next == 0);
    CHECK(page(2, 10, direction::backward).batch->events.empty());
    appended(log, {.stream = "s", .events = events(2)});
    CHECK(served(log, "s") == list{5, 6, 7});
    value(set(log, "s", {.max_count = 100}));
    CHECK(current_version(log, "s") == 7);
}

TEST_CASE("retention: max age serves what is young enough", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(3)});
    appended(log, {.stream = "other"});
    value(set(log, "s", {.max_age_s = 3600}));
    CHECK(served(log, "s") == list{1, 2, 3});
    value(set(log, "s", {.max_age_s = 1}));
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (!served(log, "s").empty() && monotonic::now() < give_up) std::this_thread::yield();
    CHECK(served(log, "s").empty());
    CHECK(served(log, "s", direction::backward).empty());
    CHECK(all_positions(log, {.tenant = tenant}) == std::vector<position>{4});
    // It is there all the same, at its version.
    CHECK(current_version(log, "s") == 3);
    appended(log, {.stream = "s", .expected = at(3)});
    CHECK(served(log, "s") == list{4});
}

TEST_CASE("retention: truncate before serves from a version on", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(5)});
    value(set(log, "s", {.truncate_before = 4}));
    CHECK(served(log, "s") == list{4, 5});
    value(set(log, "s", {.truncate_before = 6}));
    CHECK(served(log, "s").empty());
    CHECK(code_of(set(log, "s", {.truncate_before = 7})) ==
          make_error_code(store_errc::invalid_request));
    appended(log, {.stream = "s", .expected = at(5)});
    CHECK(served(log, "s") == list{6});
}

TEST_CASE("retention: the strictest of several rules counts", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(6)});
    value(set(log, "s", {.max_age_s = 3600, .max_count = 4, .truncate_before = 2}));
    CHECK(served(log, "s") == list{3, 4, 5, 6});
    value(set(log, "s", {.max_age_s = 3600, .max_count = 4, .truncate_before = 5}));
    CHECK(served(log, "s") == list{5, 6});
}

TEST_CASE("retention: holds for the whole log with every filter, for one event, for conditions",
          "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::vector<uuid> ids;
    for (int i = 0; i < 6; ++i) {
        ids.push_back(
            appended(log, {.stream = "a-1", .events = {{.type = "test.odd", .tags = {"t"}}}})
                .ids.at(0));
        appended(log, {.stream = "b-1", .events = {{.type = "test.even", .tags = {"t"}}}});
    }
    const selector all[] = {{},
                            {{.types = {"test.odd"}}},
                            {{.tags = {"t"}}},
                            {{.categories = {"a"}}},
                            {{.stream_prefix = "a-"}},
                            {{.types = {"test.odd"}, .tags = {"t"}, .stream_prefix = "a"}}};
    value(set(log, "a-1", {.max_count = 2}));
    for (const auto& what : all) {
        for (const auto& of : {std::optional<std::string>{tenant}, std::optional<std::string>{}}) {
            for (const auto way : {direction::forward, direction::backward}) {
                for (const std::size_t limit : {1u, 1000u}) {
                    auto seen = all_positions(log, {.tenant = of, .what = what}, way, limit);
                    std::erase_if(seen, [](position at) { return at % 2 == 0; });
                    if (way == direction::backward) std::reverse(seen.begin(), seen.end());
                    CHECK(seen == std::vector<position>{9, 11});
                }
            }
        }
    }
    CHECK(code_of(log.read_event(tenant, ids[3])) == make_error_code(store_errc::event_not_found));
    CHECK(log.read_event(tenant, ids[4]));
    // A condition that only hidden events match holds.
    for (const auto& what : all) {
        if (what.empty()) continue;
        value(set(log, "a-1", {.truncate_before = current_version(log, "a-1") + 1}));
        value(set(log, "b-1", {.truncate_before = current_version(log, "b-1") + 1}));
        const auto outcome = append(
            log,
            request{.appends = {{.stream = "a-1", .events = {{.type = "test.odd", .tags = {"t"}}}}},
                    .condition = append_condition{.none_match = what, .after = 0}});
        REQUIRE(outcome);
        const auto again =
            append(log, request{.appends = {{.stream = "c-1"}},
                                .condition = append_condition{.none_match = what, .after = 0}});
        REQUIRE_FALSE(again);
        CHECK(again.error().members->at("position").to_number<position>() == outcome->pos);
    }
}

TEST_CASE("retention: settings are replaced as a whole, and shown", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(5)});
    CHECK(value(log.stream(tenant, "s")).settings == stream_settings{});
    const stream_settings first{.max_age_s = 60, .max_count = 10};
    value(set(log, "s", first));
    CHECK(value(log.stream(tenant, "s")).settings == first);
    CHECK(value(log.streams(tenant, "", "", "", 10)).items.at(0).settings == first);
    const stream_settings second{.truncate_before = 2};
    value(set(log, "s", second));
    CHECK(value(log.stream(tenant, "s")).settings == second);
    value(set(log, "s", {}));
    CHECK(value(log.stream(tenant, "s")).settings == stream_settings{});
    // What was taken away may come back, or be gone by now.
    const auto left = served(log, "s");
    CHECK(left.size() >= 4);
    CHECK(left.back() == 5);
    CHECK_FALSE(log.retains("somebody"));
    CHECK(log.retains(tenant));
}

TEST_CASE("retention: settings out of bounds, of unknown streams, beside appends are refused",
          "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s"});
    const auto invalid = make_error_code(store_errc::invalid_request);
    CHECK(code_of(set(log, "s", {.max_age_s = 0})) == invalid);
    CHECK(code_of(set(log, "s", {.max_age_s = max_age_s_max + 1})) == invalid);
    CHECK(code_of(set(log, "s", {.max_count = 0})) == invalid);
    CHECK(code_of(set(log, "s", {.max_count = UINT64_MAX})) == invalid);
    CHECK(code_of(set(log, "s", {.truncate_before = 0})) == invalid);
    CHECK(code_of(set(log, "s", {.truncate_before = UINT64_MAX})) == invalid);
    CHECK(code_of(set(log, "nobody", {})) == make_error_code(store_errc::stream_not_found));
    CHECK(code_of(set(log, "s", {.max_count = 1}, at(2))) ==
          make_error_code(store_errc::version_conflict));
    CHECK(value(log.stream(tenant, "s")).settings == stream_settings{});
    auto both = build({.appends = {{.stream = "s"}}});
    both.change = stream_change{.stream = "s", .expected = {}, .settings = {}};
    const auto refused = sent(log, std::move(both));
    CHECK(code_of(refused) == invalid);
}

TEST_CASE("retention: a tenant's settings are its own", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    for (const auto* of : {"default", "other"}) {
        appended(log, request{.appends = {{.stream = "s", .events = events(3)}}, .tenant = of});
    }
    value(set(log, "s", {.max_count = 1}));
    CHECK(served(log, "s") == list{3});
    CHECK(value(log.read_stream("other", "s", 0, 10, direction::forward)).batch->events.size() ==
          3);
    CHECK_FALSE(log.retains("other"));
    CHECK(all_positions(log, {}) == std::vector<position>{3, 4, 5, 6});
}

TEST_CASE("retention: what its owner folds is whole", "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    log.keep_history("s");
    appended(log, {.stream = "s", .events = events(5)});
    value(set(log, "s", {.max_count = 1}));
    const auto history = value(log.read_history(tenant, "s", 1, 3));
    CHECK(versions(*history.batch) == list{1, 2, 3});
    CHECK(history.next == 4);
    CHECK(history.base == 0);
}

TEST_CASE("retention: an append that is repeated gets its first answer, served or not",
          "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const to_stream first{.stream = "s", .events = events_with_ids(2)};
    const auto outcome = appended(log, first);
    appended(log, {.stream = "s"});
    value(set(log, "s", {.max_count = 1}));
    const auto again = appended(log, first);
    CHECK(again.repeated);
    CHECK(again.pos == outcome.pos);
    CHECK(current_version(log, "s") == 3);
}

TEST_CASE("retention: a repeated append still tells how a stream it only looked at stood",
          "[store][retention]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(2)});
    const request first{.appends = {{.stream = "s", .expected = at(2), .events = {}},
                                    {.stream = "t", .events = events_with_ids(1)}}};
    REQUIRE(appended(log, first).appends.at(0).last_version == 2);
    appended(log, {.stream = "s", .events = events(3)});
    appended(log, {.stream = "end"});
    value(set(log, "s", {.max_count = 1}));
    CHECK(appended(log, first).appends.at(0).last_version == 2);
    value(soft_delete(log, "s"));
    CHECK(appended(log, first).appends.at(0).last_version == 2);
}

TEST_CASE("retention: settings hold after reopening", "[store][retention]") {
    store_under_test store{each_keeping_backend()};
    appended(store.log(), {.stream = "s", .events = events(5)});
    value(set(store.log(), "s", {.max_count = 2}));
    store.reopen();
    CHECK(served(store.log(), "s") == list{4, 5});
    CHECK(store.log().retains(tenant));
    CHECK(value(store.log().stream(tenant, "s")).settings == stream_settings{.max_count = 2});
}
