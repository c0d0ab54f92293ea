// Reading the whole log with its filters.
#include "contract/harness.hpp"

using namespace contract;

namespace {

using list = std::vector<position>;

/// Twelve events: three streams of two categories, two types, tags.
void fill(event_log& log) {
    for (int i = 1; i <= 12; ++i) {
        const std::string stream = i % 3 == 0 ? "user-1" : "order-" + std::to_string(i % 3);
        appended(log, {.stream = stream,
                       .events = {{.type = i % 2 == 0 ? "even" : "odd",
                                   .tags = i % 4 == 0 ? std::vector<std::string>{"four", "all"}
                                                      : std::vector<std::string>{"all"}}}});
    }
}

list reversed(list from) {
    std::reverse(from.begin(), from.end());
    return from;
}

}  // namespace

TEST_CASE("read log: without a filter, both ways, at the edges", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto empty = value(log.read_log({}, 0, 10, direction::forward));
    CHECK(empty.at_end);
    CHECK(empty.batch->events.empty());
    CHECK(empty.scanned_to == 0);
    CHECK(value(log.read_log({}, 0, 10, direction::backward)).at_end);
    fill(log);

    const auto first = value(log.read_log({}, 0, 5, direction::forward));
    CHECK(positions(*first.batch) == list{1, 2, 3, 4, 5});
    CHECK(first.scanned_to == 5);
    CHECK_FALSE(first.at_end);
    const auto last = value(log.read_log({}, 10, 5, direction::forward));
    CHECK(positions(*last.batch) == list{11, 12});
    CHECK(last.at_end);
    CHECK(last.scanned_to == 12);
    CHECK(value(log.read_log({}, 7, 5, direction::forward)).at_end);
    const auto beyond = value(log.read_log({}, 99, 5, direction::forward));
    CHECK(beyond.batch->events.empty());
    CHECK(beyond.at_end);
    CHECK(beyond.scanned_to == 99);

    const auto newest = value(log.read_log({}, 0, 3, direction::backward));
    CHECK(positions(*newest.batch) == list{12, 11, 10});
    CHECK(newest.scanned_to == 10);
    CHECK_FALSE(newest.at_end);
    const auto oldest = value(log.read_log({}, 3, 3, direction::backward));
    CHECK(positions(*oldest.batch) == list{2, 1});
    CHECK(oldest.at_end);
    CHECK(positions(*value(log.read_log({}, 99, 1, direction::backward)).batch) == list{12});
    CHECK(value(log.read_log({}, 1, 3, direction::backward)).at_end);
    CHECK(code_of(log.read_log({}, 0, 0, direction::forward)) ==
          make_error_code(store_errc::invalid_request));
}

TEST_CASE("read log: every filter, both ways, in pages of one and of many", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    fill(log);
    const auto expect = [&](const selector& what, const list& expected) {
        for (const std::size_t limit : {1u, 2u, 100u}) {
            CHECK(all_positions(log, {.what = what}, direction::forward, limit) == expected);
            CHECK(all_positions(log, {.what = what}, direction::backward, limit) ==
                  reversed(expected));
        }
    };
    expect({{.types = {"even"}}}, {2, 4, 6, 8, 10, 12});
    expect({{.types = {"even", "odd"}, .tags = {"four"}}}, {4, 8, 12});
    expect({{.categories = {"user"}}}, {3, 6, 9, 12});
    expect({{.tags = {"four", "all"}, .categories = {"user", "order"}}}, {4, 8, 12});
    expect({{.stream_prefix = "order-1"}}, {1, 4, 7, 10});
    expect({{.types = {"odd"}, .stream_prefix = "order-1"}}, {1, 7});
    expect({{.types = {"odd"}, .categories = {"user"}}, {.tags = {"four"}}}, {3, 4, 8, 9, 12});
    expect({{.types = {"unknown"}}}, {});
    expect({{.tags = {"four", "unknown"}}}, {});
    expect({{.types = {"unknown"}}, {.tags = {"four"}}}, {4, 8, 12});
}

TEST_CASE("read log: a filtered read continues from where it stood", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    fill(log);
    const selector fours{{.tags = {"four"}}};
    const auto page = value(log.read_log({.what = fours}, 4, 10, direction::forward));
    CHECK(positions(*page.batch) == list{8, 12});
    CHECK(page.at_end);
    CHECK(page.scanned_to == 12);
    const auto none_left = value(log.read_log({.what = fours}, 12, 10, direction::forward));
    CHECK(none_left.at_end);
    appended(log, {.stream = "x", .events = {{.tags = {"four"}}}});
    CHECK(positions(
              *value(log.read_log({.what = fours}, none_left.scanned_to, 10, direction::forward))
                   .batch) == list{13});
    CHECK(positions(*value(log.read_log({.what = fours}, 8, 10, direction::backward)).batch) ==
          list{4});
    // Where nothing matched the reader still learns how far it came.
    const auto nothing =
        value(log.read_log({.what = {{.types = {"unknown"}}}}, 3, 10, direction::forward));
    CHECK(nothing.at_end);
    CHECK(nothing.scanned_to == 13);
}

TEST_CASE("read log: a page may be empty though more follows", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    for (int i = 0; i < 45; ++i) appended(log, {.stream = "noise-1", .events = events(1000)});
    appended(log, {.stream = "rare-1"});
    const log_filter rare{.what = {{.stream_prefix = "rare"}}};
    const auto page = value(log.read_log(rare, 0, 10, direction::forward));
    CHECK(page.batch->events.empty());
    CHECK_FALSE(page.at_end);
    CHECK(page.scanned_to > 0);
    CHECK(all_positions(log, rare) == list{45'001});
    CHECK(all_positions(log, rare, direction::backward) == list{45'001});
    const auto backward = value(log.read_log(rare, 45'000, 10, direction::backward));
    CHECK(backward.batch->events.empty());
    CHECK_FALSE(backward.at_end);
}

TEST_CASE("read log: since a time, with and without other filters", "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    fill(log);
    const auto all = value(log.read_log({}, 0, 100, direction::forward));
    for (const position from : {1u, 5u, 12u}) {
        const unix_us since = all.batch->events.at(from - 1).recorded_at;
        list expected;
        list even;
        for (const auto& event : all.batch->events) {
            if (event.recorded_at < since) continue;
            expected.push_back(event.pos);
            if (event.type == "even") even.push_back(event.pos);
        }
        CHECK(all_positions(log, {.since = since}) == expected);
        CHECK(all_positions(log, {.since = since}, direction::backward) == reversed(expected));
        CHECK(all_positions(log, {.what = {{.types = {"even"}}}, .since = since}) == even);
        CHECK(all_positions(log, {.what = {{.types = {"even"}}}, .since = since},
                            direction::backward, 2) == reversed(even));
    }
    const unix_us later = all.batch->events.back().recorded_at + 1;
    CHECK(all_positions(log, {.since = later}).empty());
    CHECK(all_positions(log, {.since = later}, direction::backward).empty());
    CHECK(all_positions(log, {.since = 0}).size() == 12);
}

TEST_CASE("read log: a tenant's few events among many others', both ways, in pages of any size",
          "[store][read]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    list expected;
    for (int i = 0; i < 12; ++i) {
        appended(log, {.appends = {{.stream = "many-" + std::to_string(i),
                                    .events = events(i % 3 == 0 ? 1700 : 20)}},
                       .tenant = "large"});
        const auto own = appended(
            log, {.appends = {{.stream = (i % 2 == 0 ? "few-" : "rare.") + std::to_string(i),
                               .events = events(1 + i % 2)}},
                  .tenant = "small"});
        for (position at = own.pos - std::size_t(i % 2); at <= own.pos; ++at) {
            expected.push_back(at);
        }
    }
    appended(log, {.appends = {{.stream = "many-1", .events = events(900)}}, .tenant = "large"});
    for (const std::size_t limit : {1u, 3u, 100u}) {
        const log_filter own{.tenant = "small"};
        CHECK(all_positions(log, own, direction::forward, limit) == expected);
        CHECK(all_positions(log, own, direction::backward, limit) == reversed(expected));
    }
    const log_filter foreign{.tenant = "small", .what = {{.stream_prefix = "many"}}};
    CHECK(all_positions(log, foreign, direction::forward, 10).empty());
    CHECK(all_positions(log, foreign, direction::backward, 10).empty());
}
