// What keeps one request from holding up all others on SQLite: bounded conditions and scans.
#include "contract/harness.hpp"

#include <fmt/format.h>

using namespace contract;

namespace {

constexpr position many = 60'000;

/// A hundred streams "order-a-…" with one event each, then one long stream "order-b-0".
void fill(event_log& log) {
    for (int i = 0; i < 100; ++i) {
        appended(log, {.stream = "order-a-" + std::to_string(i), .events = {{.type = "placed"}}});
    }
    for (position i = 0; i < many / 1000; ++i) {
        appended(log, {.stream = "order-b-0",
                       .events = std::vector<event>(1000, event{.type = "placed"})});
    }
}

result<append_outcome> try_with(event_log& log, selector none_match, position after) {
    return append(log, {.appends = {{.stream = "probe", .events = {}}},
                        .condition = append_condition{std::move(none_match), after}});
}

}  // namespace

TEST_CASE("bounds: a condition that would hold up all appends is refused", "[store][bounds]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    fill(log);
    // Each of many events has the type, none the prefix, which too many streams have.
    const selector broad{{.types = {"placed"}, .stream_prefix = "order-a"}};
    const auto refused = try_with(log, broad, 100);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::invalid_request);
    CHECK(refused.error().client.find("after") != std::string::npos);
    CHECK(code_of(try_with(log, {{.stream_prefix = "order-a"}}, 100)) ==
          make_error_code(store_errc::invalid_request));

    // What can be told is told.
    CHECK(code_of(try_with(log, broad, 99)) == make_error_code(store_errc::condition_failed));
    CHECK(try_with(log, broad, many));
    CHECK(try_with(log, {{.types = {"placed"}, .stream_prefix = "order-a-7"}}, 100));
    CHECK(try_with(log, {{.types = {"placed"}, .stream_prefix = "order-c"}}, 0));
    CHECK(try_with(log, {{.types = {"shipped"}, .stream_prefix = "order-a"}}, 0));
    appended(log, {.stream = "order-a-7", .events = {{.type = "placed"}}});
    const auto found = try_with(log, {{.types = {"placed"}, .stream_prefix = "order-a-7"}}, 100);
    REQUIRE_FALSE(found);
    CHECK(found.error().members->at("position").to_number<position>() == many + 101);
}

TEST_CASE("bounds: a refused condition costs its neighbours nothing", "[store][bounds]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    fill(log);
    std::vector<event_log::queued> together;
    std::vector<std::promise<result<append_outcome>>> answers(3);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        request one{.appends = {{.stream = "s-" + std::to_string(i)}}};
        if (i == 1) {
            const selector broad{{.types = {"placed"}, .stream_prefix = "order-a"}};
            one.condition = append_condition{broad, 100};
        }
        together.push_back({build(one), [&answers, i](result<append_outcome> answer) {
                                answers[i].set_value(std::move(answer));
                            }});
    }
    log.append_all(std::move(together));
    CHECK(answers[0].get_future().get());
    CHECK_FALSE(answers[1].get_future().get());
    CHECK(answers[2].get_future().get());
    CHECK(log.head() == many + 102);
}

TEST_CASE("bounds: what a condition names counts as what it looks at", "[store][bounds]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    constexpr int names = 9'000;
    for (int i = 0; i < names; i += 1'000) {
        request all;
        for (int j = i; j < i + 1'000; ++j)
            all.appends.push_back({.stream = fmt::format("z{:05}", j)});
        appended(log, all);
    }
    const std::vector<std::string> unknown(1'000, "unknown");
    const auto refused = make_error_code(store_errc::invalid_request);
    CHECK(code_of(try_with(log, selector(100, {.types = unknown, .tags = {"x"}}), 0)) == refused);
    CHECK(code_of(try_with(log, selector(100, {.tags = unknown}), names - 3)) == refused);
    // As many categories as streams, each looked at; one such clause may be, many may not.
    const selector_clause prefix{.stream_prefix = "z"};
    appended(log, {.stream = "other", .events = events(300)});
    CHECK(try_with(log, {prefix}, names));
    CHECK(code_of(try_with(log, selector(100, prefix), names)) == refused);
    CHECK(code_of(try_with(log, {prefix}, 0)) == make_error_code(store_errc::condition_failed));
}

TEST_CASE("bounds: conditions that stand together have one bound, then they are to come again",
          "[store][bounds]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    fill(log);
    const selector broad{{.types = {"placed"}, .stream_prefix = "order-a"}};
    std::vector<event_log::queued> together;
    std::vector<std::promise<result<append_outcome>>> answers(5);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        request one{.appends = {{.stream = "s-" + std::to_string(i)}}};
        if (i < 4) one.condition = append_condition{broad, 100};
        together.push_back({build(one), [&answers, i](result<append_outcome> answer) {
                                answers[i].set_value(std::move(answer));
                            }});
    }
    log.append_all(std::move(together));
    std::vector<std::error_code> told;
    for (auto& one : answers) told.push_back(code_of(one.get_future().get()));
    const auto refused = make_error_code(store_errc::invalid_request);
    const auto busy = make_error_code(store_errc::busy);
    CHECK(told == std::vector{refused, refused, busy, busy, std::error_code{}});
    // Nothing is left of it.
    CHECK(code_of(try_with(log, broad, 100)) == refused);
}

TEST_CASE("bounds: a tenant's events are found without looking at every other tenant's",
          "[store][bounds]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    const auto own = [&] {
        return appended(log, {.appends = {{.stream = "few-1"}}, .tenant = "small"}).pos;
    };
    std::vector<position> expected{own()};
    fill(log);
    expected.push_back(own());
    fill(log);
    const log_filter small{.tenant = "small"};
    const auto forward = value(log.read_log(small, 0, 10, direction::forward));
    CHECK(positions(*forward.batch) == expected);
    CHECK(forward.at_end);
    const auto backward = value(log.read_log(small, 0, 10, direction::backward));
    CHECK(positions(*backward.batch) == std::vector<position>{expected.rbegin(), expected.rend()});
    CHECK(backward.at_end);
}
