// Tenants share nothing but the line of positions.
#include "contract/harness.hpp"

using namespace contract;

TEST_CASE("tenants: the same streams, event ids and keys in two tenants", "[store][tenant]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = events_with_ids(2);
    const auto write = [&](const std::string& in, expected_version expected) {
        return append(log, {.appends = {{.stream = "s", .expected = expected, .events = ids}},
                            .keys = {{.name = "k", .fingerprint = in, .answer = in}},
                            .tenant = in});
    };
    CHECK(value(write("red", none)).pos == 2);
    const auto second = value(write("blue", none));
    CHECK_FALSE(second.repeated);
    CHECK_FALSE(second.stored_answer);
    CHECK(second.pos == 4);
    CHECK(value(log.find_answer("red", "k"))->answer == "red");
    CHECK(value(log.find_answer("blue", "k"))->answer == "blue");
    CHECK(value(write("red", none)).stored_answer == "red");

    CHECK(value(log.read_event("red", ids[0].id))->events.at(0).pos == 1);
    CHECK(value(log.read_event("blue", ids[0].id))->events.at(0).pos == 3);
    CHECK(value(log.read_stream("blue", "s", 0, 9, direction::forward)).batch->events.size() == 2);
    CHECK(current_version(log, "s", "red") == 2);
    CHECK(code_of(log.stream("green", "s")) == make_error_code(store_errc::stream_not_found));
    CHECK(value(log.streams("red", "", "", "", 10)).items.size() == 1);
}

TEST_CASE("tenants: reads of the log are scoped, or see all on request", "[store][tenant]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    for (int i = 0; i < 6; ++i) {
        appended(log, {.appends = {{.stream = "order-1", .events = {{.tags = {"t"}}}}},
                       .tenant = i % 2 == 0 ? "red" : "blue"});
    }
    using list = std::vector<position>;
    const selector tagged{{.tags = {"t"}}};
    const selector typed{{.types = {"test.happened"}, .categories = {"order"}}};
    CHECK(all_positions(log, {.tenant = "red"}) == list{1, 3, 5});
    CHECK(all_positions(log, {.tenant = "blue"}, direction::backward) == list{6, 4, 2});
    CHECK(all_positions(log, {.tenant = "blue", .what = tagged}) == list{2, 4, 6});
    CHECK(all_positions(log, {.tenant = "nobody"}).empty());
    CHECK(all_positions(log, {.tenant = "nobody", .what = tagged}).empty());
    CHECK(all_positions(log, {}) == list{1, 2, 3, 4, 5, 6});
    CHECK(all_positions(log, {.what = tagged}) == list{1, 2, 3, 4, 5, 6});
    CHECK(all_positions(log, {.what = typed}, direction::backward) == list{6, 5, 4, 3, 2, 1});
}

TEST_CASE("tenants: conditions see only their own tenant", "[store][tenant]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.appends = {{.stream = "s", .events = {{.tags = {"t"}}}}}, .tenant = "red"});
    const auto guarded = [&](const std::string& in, selector none_match) {
        return code_of(append(log, {.appends = {{.stream = "x", .events = {}}},
                                    .condition = append_condition{std::move(none_match), 0},
                                    .tenant = in}));
    };
    const auto failed = make_error_code(store_errc::condition_failed);
    CHECK(guarded("red", {{.tags = {"t"}}}) == failed);
    CHECK(guarded("blue", {{.tags = {"t"}}}) == std::error_code{});
    CHECK(guarded("red", {}) == failed);
    CHECK(guarded("blue", {}) == std::error_code{});
    CHECK(guarded("blue", {{.stream_prefix = "s"}}) == std::error_code{});
}

TEST_CASE("tenants: a tenant's first batch may hold several of its appends", "[store][tenant]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::vector<event_log::queued> together;
    std::vector<std::promise<result<append_outcome>>> answers(4);
    const auto queue = [&](std::size_t i, const request& from) {
        together.push_back({build(from), [&answers, i](result<append_outcome> answer) {
                                answers[i].set_value(std::move(answer));
                            }});
    };
    queue(0, {.appends = {{.stream = "s", .expected = exists}}, .tenant = "new"});
    queue(1, {.appends = {{.stream = "s", .expected = none}}, .tenant = "new"});
    queue(2, {.appends = {{.stream = "s", .expected = at(1)}, {.stream = "t"}}, .tenant = "new"});
    queue(3, {.appends = {{.stream = "s", .expected = at(1)}}, .tenant = "new"});
    log.append_all(std::move(together));
    CHECK_FALSE(answers[0].get_future().get());
    CHECK(value(answers[1].get_future().get()).appends.at(0).first_version == 1);
    CHECK(value(answers[2].get_future().get()).appends.at(0).first_version == 2);
    CHECK(code_of(answers[3].get_future().get()) == make_error_code(store_errc::version_conflict));
    CHECK(current_version(log, "s", "new") == 2);
    appended(log, {.appends = {{.stream = "s", .expected = at(2)}}, .tenant = "new"});
}
