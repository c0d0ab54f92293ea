// Repeating an append: by event ids, by key.
#include "contract/harness.hpp"

using namespace contract;

namespace {

const auto overlap = make_error_code(store_errc::event_id_conflict);

void check_same_answer(const append_outcome& first, const append_outcome& again) {
    CHECK(again.repeated);
    CHECK(again.pos == first.pos);
    CHECK(again.ids == first.ids);
    CHECK(again.recorded_at == first.recorded_at);
    REQUIRE(again.appends.size() == first.appends.size());
    for (std::size_t i = 0; i < first.appends.size(); ++i) {
        CHECK(again.appends[i].first_version == first.appends[i].first_version);
        CHECK(again.appends[i].last_version == first.appends[i].last_version);
        CHECK(again.appends[i].first_position == first.appends[i].first_position);
        CHECK(again.appends[i].last_position == first.appends[i].last_position);
    }
}

}  // namespace

TEST_CASE("idempotency: the same ids again give the first answer in every mode",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = events(2)});
    const auto ids = events_with_ids(3);
    const auto first = appended(log, {.stream = "s", .expected = at(2), .events = ids});
    appended(log, {.stream = "s", .events = events(4)});
    for (const auto mode : {any, none, exists, at(0), at(2), at(5), at(77)}) {
        check_same_answer(first, appended(log, {.stream = "s", .expected = mode, .events = ids}));
    }
    CHECK(log.head() == 9);
}

TEST_CASE("idempotency: any other overlap with known ids is refused", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = events_with_ids(4);
    appended(log, {.stream = "s", .events = ids});
    const auto fresh = events_with_ids(2);
    const auto try_ids = [&](const std::string& stream, std::vector<event> these) {
        return code_of(append(log, {.stream = stream, .events = std::move(these)}));
    };
    CHECK(try_ids("s", {ids[0], ids[1]}) == overlap);                            // the beginning
    CHECK(try_ids("s", {ids[2], ids[3]}) == overlap);                            // the end
    CHECK(try_ids("s", {ids[1]}) == overlap);                                    // the middle
    CHECK(try_ids("s", {ids[0], ids[1], ids[3], ids[2]}) == overlap);            // another order
    CHECK(try_ids("s", {ids[0], ids[1], ids[2], ids[3], fresh[0]}) == overlap);  // and more
    CHECK(try_ids("s", {fresh[0], ids[0], ids[1], ids[2], ids[3]}) == overlap);
    CHECK(try_ids("s", {ids[0], ids[1], ids[2], event{}}) == overlap);  // one without id
    CHECK(try_ids("other", ids) == overlap);                            // another stream
    CHECK(log.head() == 4);
    CHECK(try_ids("s", fresh) == std::error_code{});
}

TEST_CASE("idempotency: two appends are not repeated as one", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto one = events_with_ids(2);
    const auto two = events_with_ids(2);
    appended(log, {.stream = "s", .events = one});
    appended(log, {.stream = "s", .events = two});
    CHECK(code_of(append(log, {.stream = "s", .events = {one[0], one[1], two[0], two[1]}})) ==
          overlap);
    CHECK(appended(log, {.stream = "s", .events = two}).repeated);
}

TEST_CASE("idempotency: an append over several streams is repeated as a whole",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "guard", .events = events(3)});
    const auto a = events_with_ids(2);
    const auto b = events_with_ids(1);
    const request whole{.appends = {{.stream = "a", .expected = none, .events = a},
                                    {.stream = "guard", .expected = at(3), .events = {}},
                                    {.stream = "b", .expected = none, .events = b}},
                        .condition = append_condition{{{.tags = {"never"}}}, 0}};
    const auto first = appended(log, whole);
    appended(log, {.stream = "guard", .events = events(2)});
    check_same_answer(first, appended(log, whole));
    CHECK(code_of(append(log, {.stream = "a", .events = a})) == overlap);
    CHECK(code_of(append(log, {.appends = {{.stream = "b", .events = b},
                                           {.stream = "a", .events = a}}})) == overlap);
    CHECK(code_of(append(log, {.appends = {{.stream = "a", .events = b},
                                           {.stream = "b", .events = a}}})) == overlap);
    CHECK(log.head() == 8);
}

TEST_CASE("idempotency: within one batch as well", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = events_with_ids(2);
    std::vector<event_log::queued> together;
    std::vector<std::promise<result<append_outcome>>> answers(4);
    const auto queue = [&](std::size_t i, const request& from) {
        together.push_back({build(from), [&answers, i](result<append_outcome> answer) {
                                answers[i].set_value(std::move(answer));
                            }});
    };
    queue(0, {.appends = {{.stream = "s", .events = ids}}});
    queue(1, {.appends = {{.stream = "s", .events = ids}}});
    queue(2, {.appends = {{.stream = "s", .events = {ids[1]}}}});
    queue(3, {.appends = {{.stream = "s", .expected = at(2)}}});
    log.append_all(std::move(together));
    const auto first = value(answers[0].get_future().get());
    CHECK_FALSE(first.repeated);
    check_same_answer(first, value(answers[1].get_future().get()));
    CHECK(code_of(answers[2].get_future().get()) == overlap);
    CHECK(value(answers[3].get_future().get()).appends.at(0).first_version == 3);
}

TEST_CASE("idempotency: the ids are checked before the version and the condition",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = events_with_ids(1);
    const request once{.appends = {{.stream = "s", .expected = none, .events = ids}},
                       .condition = append_condition{{}, 0}};
    const auto first = appended(log, once);
    check_same_answer(first, appended(log, once));
}

TEST_CASE("idempotency: a known key gives the stored answer and writes nothing",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const request once{.appends = {{.stream = "s", .expected = none}},
                       .keys = {{.name = "k", .fingerprint = "f", .answer = R"({"ok":1})"}}};
    const auto first = appended(log, once);
    CHECK_FALSE(first.stored_answer);
    const auto again = appended(log, once);
    REQUIRE(again.stored_answer);
    CHECK(*again.stored_answer == R"({"ok":1})");
    CHECK(again.appends.empty());
    CHECK(log.head() == 1);
    const auto found = value(log.find_answer(tenant, "k"));
    REQUIRE(found);
    CHECK(found->fingerprint == "f");
    CHECK(found->answer == R"({"ok":1})");
    CHECK_FALSE(value(log.find_answer(tenant, "unknown")));
}

TEST_CASE("idempotency: a key under another request is refused", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.appends = {{.stream = "s"}}, .keys = {{.name = "k", .fingerprint = "f"}}});
    const auto conflict = make_error_code(store_errc::key_conflict);
    CHECK(code_of(append(log, {.appends = {{.stream = "s"}},
                               .keys = {{.name = "k", .fingerprint = "g"}}})) == conflict);
    CHECK(code_of(append(log, {.appends = {{.stream = "s"}},
                               .keys = {{.name = "new", .fingerprint = "f"},
                                        {.name = "k", .fingerprint = "g"}}})) == conflict);
    CHECK(log.head() == 1);
    CHECK_FALSE(value(log.find_answer(tenant, "new")));
}

TEST_CASE("idempotency: a key under which known events came again is taken",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = events_with_ids(2);
    appended(log, {.stream = "s", .events = ids});
    const auto by_key = [&](const std::string& fingerprint) -> request {
        return {.appends = {{.stream = "s", .events = ids}},
                .keys = {{.name = "k", .fingerprint = fingerprint, .answer = "A"}}};
    };
    CHECK(appended(log, by_key("f")).repeated);
    CHECK(appended(log, by_key("f")).stored_answer == "A");
    CHECK(code_of(append(log, by_key("g"))) == make_error_code(store_errc::key_conflict));
    CHECK(log.head() == 2);
}

TEST_CASE("idempotency: either of two keys is enough", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.appends = {{.stream = "s"}},
                   .keys = {{.name = "one", .answer = "A"}, {.name = "two", .answer = "B"}}});
    const auto by = [&](const std::string& name) {
        return appended(log, {.appends = {{.stream = "s"}}, .keys = {{.name = name}}})
            .stored_answer;
    };
    CHECK(by("one") == "A");
    CHECK(by("two") == "B");
    CHECK(log.head() == 1);
}

TEST_CASE("idempotency: a key alone records a refusal", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto recorded = appended(log, {.keys = {{.name = "k", .answer = "refused"}}});
    CHECK(recorded.appends.empty());
    CHECK(log.head() == 0);
    CHECK(appended(log, {.appends = {{.stream = "s"}}, .keys = {{.name = "k"}}}).stored_answer ==
          "refused");
}

TEST_CASE("idempotency: a refused append does not record its key", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    CHECK_FALSE(
        append(log, {.appends = {{.stream = "s", .expected = exists}}, .keys = {{.name = "k"}}}));
    CHECK_FALSE(value(log.find_answer(tenant, "k")));
    CHECK_FALSE(
        appended(log, {.appends = {{.stream = "s"}}, .keys = {{.name = "k"}}}).stored_answer);
}

TEST_CASE("idempotency: an expired key is forgotten and may be used anew", "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.appends = {{.stream = "s"}},
                   .keys = {{.name = "k", .fingerprint = "f", .keep_us = 0}}});
    CHECK_FALSE(value(log.find_answer(tenant, "k")));
    const auto again = appended(log, {.appends = {{.stream = "s"}},
                                      .keys = {{.name = "k", .fingerprint = "g", .answer = "2"}}});
    CHECK_FALSE(again.stored_answer);
    CHECK(value(log.find_answer(tenant, "k"))->answer == "2");
}

TEST_CASE("idempotency: the answer is made from the outcome, and not for what is known",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    int made = 0;
    const auto run = [&] {
        auto built =
            build({.appends = {{.stream = "s", .events = events(3)}}, .keys = {{.name = "k"}}});
        built.keys[0].answer = [&made](const append_outcome& outcome) {
            ++made;
            return std::to_string(outcome.pos);
        };
        std::promise<result<append_outcome>> promise;
        log.append(std::move(built),
                   [&](result<append_outcome> answer) { promise.set_value(std::move(answer)); });
        return value(promise.get_future().get());
    };
    CHECK_FALSE(run().stored_answer);
    CHECK(made >= 1);
    CHECK(run().stored_answer == "3");
    // Kept is what was made for the outcome that came about.
    CHECK(value(log.find_answer(tenant, "k"))->answer == "3");
}

TEST_CASE("idempotency: the first answer names the version of a stream that was only checked",
          "[store][idempotency]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const std::size_t before = GENERATE(0u, 1u, 7u);
    if (before != 0) appended(log, {.stream = "checked", .events = events(before)});
    const request both{.appends = {{.stream = "written", .events = events_with_ids(2)},
                                   {.stream = "checked", .events = {}}}};
    const auto first = appended(log, both);
    CHECK(first.appends.at(1).last_version == before);
    appended(log, {.stream = "checked", .events = events(300)});
    const auto again = appended(log, both);
    CHECK(again.repeated);
    CHECK(again.appends.at(1).last_version == before);
}
