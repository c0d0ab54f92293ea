// Soft deletion and tombstones: what a stream is to each expectation in each of its states.
#include "contract/rules_fixture.hpp"

using namespace contract;

namespace {

const auto missing = make_error_code(store_errc::stream_not_found);
const auto gone = make_error_code(store_errc::stream_deleted);
const auto conflict = make_error_code(store_errc::version_conflict);

enum class state { absent, present, soft_deleted, rewritten, buried };

/// A stream with 3 events before anything is done to it, `rewritten` with a fourth.
std::string in_state(event_log& log, state wanted) {
    static int count = 0;
    std::string stream = "s-" + std::to_string(++count);
    if (wanted == state::absent) return stream;
    appended(log, {.stream = stream, .events = events(3)});
    if (wanted == state::soft_deleted || wanted == state::rewritten) {
        value(soft_delete(log, stream));
    }
    if (wanted == state::rewritten) appended(log, {.stream = stream});
    if (wanted == state::buried) value(bury(log, stream));
    return stream;
}

struct attempt {
    state on;
    expected_version expected;
    std::error_code refused;  ///< none: it is written
    version first = 0;
};

}  // namespace

TEST_CASE("deletion: every expectation on every state of a stream", "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const attempt all[] = {
        {state::absent, any, {}, 1},
        {state::absent, none, {}, 1},
        {state::absent, at(0), {}, 1},
        {state::absent, exists, conflict},
        {state::absent, at(3), conflict},
        {state::present, any, {}, 4},
        {state::present, none, conflict},
        {state::present, at(0), conflict},
        {state::present, exists, {}, 4},
        {state::present, at(3), {}, 4},
        {state::present, at(2), conflict},
        {state::present, at(4), conflict},
        {state::soft_deleted, any, {}, 4},
        {state::soft_deleted, none, {}, 4},
        {state::soft_deleted, at(0), {}, 4},
        {state::soft_deleted, exists, conflict},
        {state::soft_deleted, at(3), conflict},
        {state::rewritten, any, {}, 5},
        {state::rewritten, none, conflict},
        {state::rewritten, exists, {}, 5},
        {state::rewritten, at(4), {}, 5},
        {state::rewritten, at(1), conflict},
        {state::buried, any, gone},
        {state::buried, none, gone},
        {state::buried, exists, gone},
        {state::buried, at(3), gone},
    };
    for (const auto& one : all) {
        const auto stream = in_state(log, one.on);
        const position head = log.head();
        const auto outcome = append(log, {.stream = stream, .expected = one.expected});
        INFO("state " << static_cast<int>(one.on) << ", expected "
                      << static_cast<int>(one.expected.what) << " " << one.expected.exact);
        CHECK(code_of(outcome) == one.refused);
        if (outcome) {
            CHECK(outcome->appends.at(0).first_version == one.first);
            CHECK(log.head() == head + 1);
        } else {
            CHECK(log.head() == head);
        }
    }
}

TEST_CASE("deletion: softly deleted, a stream is not there until it is written again",
          "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto ids = appended(log, {.stream = "s", .events = events(3)}).ids;
    appended(log, {.stream = "other"});
    value(soft_delete(log, "s", at(3)));
    CHECK(code_of(log.read_stream(tenant, "s", 0, 10, direction::forward)) == missing);
    CHECK(code_of(log.read_stream(tenant, "s", 0, 10, direction::backward)) == missing);
    CHECK(code_of(log.stream(tenant, "s")) == missing);
    CHECK(value(log.streams(tenant, "", "", "", 10)).items.size() == 1);
    CHECK(code_of(log.read_event(tenant, ids[1])) == make_error_code(store_errc::event_not_found));
    CHECK(all_positions(log, {.tenant = tenant}) == std::vector<position>{4});
    CHECK(code_of(set(log, "s", {.max_count = 1})) == missing);

    const auto again = appended(log, {.stream = "s", .expected = none, .events = events(2)});
    CHECK(again.appends.at(0).first_version == 4);
    CHECK(again.appends.at(0).last_version == 5);
    CHECK(served(log, "s") == list{4, 5});
    CHECK(served(log, "s", direction::backward) == list{5, 4});
    CHECK(current_version(log, "s") == 5);
    CHECK(value(log.streams(tenant, "", "", "", 10)).items.size() == 2);
    CHECK(code_of(log.read_event(tenant, ids[1])) == make_error_code(store_errc::event_not_found));
    CHECK(all_positions(log, {.tenant = tenant}) == std::vector<position>{4, 5, 6});
    // And once more.
    value(soft_delete(log, "s"));
    CHECK(code_of(log.stream(tenant, "s")) == missing);
    CHECK(appended(log, {.stream = "s"}).appends.at(0).first_version == 6);
    CHECK(served(log, "s") == list{6});
}

TEST_CASE("deletion: a stream that is gone for good is neither read nor written, for ever",
          "[store][deletion]") {
    const auto which = each_backend();
    store_under_test store{which};
    const to_stream first{.stream = "s", .events = events_with_ids(2)};
    const auto ids = appended(store.log(), first).ids;
    appended(store.log(), {.stream = "other"});
    value(bury(store.log(), "s"));
    for (int round = 0; round < 2; ++round) {
        event_log& log = store.log();
        CHECK(code_of(log.read_stream(tenant, "s", 0, 10, direction::forward)) == gone);
        CHECK(code_of(log.read_history(tenant, "s", 1, 10)) == gone);
        CHECK(code_of(log.stream(tenant, "s")) == gone);
        CHECK(value(log.streams(tenant, "", "", "", 10)).items.size() == 1);
        CHECK(code_of(log.read_event(tenant, ids[0])) ==
              make_error_code(store_errc::event_not_found));
        CHECK(all_positions(log, {}) == std::vector<position>{3});
        CHECK(code_of(append(log, first)) == gone);
        CHECK(code_of(append(log, {.stream = "s", .events = {}})) == gone);
        CHECK(code_of(set(log, "s", {})) == gone);
        CHECK(code_of(soft_delete(log, "s")) == gone);
        if (which.keeps) store.reopen();
    }
}

TEST_CASE("deletion: an append over several streams names the ones that are gone",
          "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "a"});
    appended(log, {.stream = "b"});
    value(bury(log, "b"));
    const auto refused = append(
        log,
        request{.appends = {{.stream = "a", .expected = at(7)}, {.stream = "b"}, {.stream = "c"}}});
    REQUIRE(code_of(refused) == gone);
    const auto& failures = refused.error().members->at("failures").get_array();
    REQUIRE(failures.size() == 2);
    CHECK(failures[0].at("code") == "version_conflict");
    CHECK(failures[1].at("code") == "stream_deleted");
    CHECK(failures[1].at("index").to_number<int>() == 1);
    CHECK(log.head() == 2);
}

TEST_CASE("deletion: expects a version, and done again it is done", "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    CHECK(code_of(soft_delete(log, "nobody")) == missing);
    CHECK(code_of(bury(log, "nobody")) == missing);
    appended(log, {.stream = "s", .events = events(3)});
    for (const auto expected : {none, at(2), at(4)}) {
        const auto refused = soft_delete(log, "s", expected);
        CHECK(code_of(refused) == conflict);
        CHECK(refused.error().members->at("current_version").to_number<version>() == 3);
        CHECK(code_of(bury(log, "s", expected)) == conflict);
    }
    CHECK_FALSE(value(soft_delete(log, "s", at(3))).repeated);
    for (const auto expected : {any, none, at(0), at(3)}) {
        CHECK(value(soft_delete(log, "s", expected)).repeated);
    }
    CHECK(code_of(soft_delete(log, "s", exists)) == conflict);
    CHECK(code_of(bury(log, "s", at(2))) == conflict);
    CHECK_FALSE(value(bury(log, "s", any)).repeated);
    CHECK(value(bury(log, "s", at(3))).repeated);
}

TEST_CASE("deletion: repeats of earlier appends get their first answer while the stream may live",
          "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const to_stream first{.stream = "s", .events = events_with_ids(2)};
    const auto outcome = appended(log, first);
    value(soft_delete(log, "s"));
    const auto again = appended(log, first);
    CHECK(again.repeated);
    CHECK(again.pos == outcome.pos);
    CHECK(code_of(log.stream(tenant, "s")) == missing);
}

TEST_CASE("deletion: conditions do not see what was deleted", "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "a-1", .events = {{.tags = {"t"}}}});
    const request guarded{.appends = {{.stream = "b-1"}},
                          .condition = append_condition{.none_match = {{.tags = {"t"}}}}};
    CHECK(code_of(append(log, guarded)) == make_error_code(store_errc::condition_failed));
    value(soft_delete(log, "a-1"));
    CHECK(append(log, guarded));
    appended(log, {.stream = "a-1", .events = {{.tags = {"t"}}}});
    CHECK(code_of(append(log, guarded)) == make_error_code(store_errc::condition_failed));
    value(bury(log, "a-1"));
    CHECK(append(log, guarded));
}

TEST_CASE("deletion: a tombstone refuses repeats by ids, not those by a key that is known",
          "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const request keyed{.appends = {{.stream = "s", .events = events_with_ids(2)}},
                        .keys = {{.name = "k", .answer = "first"}}};
    appended(log, keyed);
    value(bury(log, "s"));
    CHECK(appended(log, keyed).stored_answer == "first");
    auto other = keyed;
    other.keys.at(0).fingerprint = "g";
    CHECK(code_of(append(log, other)) == make_error_code(store_errc::key_conflict));
    other.keys.at(0).name = "l";
    CHECK(code_of(append(log, other)) == gone);
    other.keys.clear();
    CHECK(code_of(append(log, other)) == gone);
    CHECK(log.head() == 2);
}

TEST_CASE("deletion: within one batch, changes and appends are taken in order",
          "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::vector<event_log::queued> all;
    std::vector<std::future<result<append_outcome>>> answers;
    const auto add = [&](append_request made) {
        auto promise = std::make_shared<std::promise<result<append_outcome>>>();
        answers.push_back(promise->get_future());
        all.push_back({std::move(made), [promise](result<append_outcome> outcome) {
                           promise->set_value(std::move(outcome));
                       }});
    };
    const auto change = [](change_kind what) {
        append_request made;
        made.tenant = tenant;
        made.change = stream_change{.stream = "s", .what = what, .expected = {}, .settings = {}};
        return made;
    };
    add(build({.appends = {{.stream = "s", .expected = none, .events = events(2)}}}));
    add(change(change_kind::soft_delete));
    add(build({.appends = {{.stream = "s", .expected = exists}}}));
    add(build({.appends = {{.stream = "s", .expected = none}}}));
    add(change(change_kind::tombstone));
    add(build({.appends = {{.stream = "s"}}}));
    log.append_all(std::move(all));
    std::vector<std::error_code> codes;
    for (auto& answer : answers) codes.push_back(code_of(answer.get()));
    CHECK(codes == std::vector<std::error_code>{{}, {}, conflict, {}, {}, gone});
    CHECK(log.head() == 3);
}

TEST_CASE("deletion: listeners are told which streams have changed", "[store][deletion]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::mutex mutex;
    std::vector<std::string> told;
    log.on_commit([&](const commit& one) {
        const std::lock_guard lock{mutex};
        REQUIRE(one.batch);
        for (const auto& changed : one.changed) {
            CHECK(changed.tenant == tenant);
            told.emplace_back(changed.stream);
        }
    });
    appended(log, {.stream = "s"});
    value(set(log, "s", {.max_count = 3}));
    value(soft_delete(log, "s"));
    value(soft_delete(log, "s"));  // done already
    appended(log, {.stream = "s"});
    appended(log, {.stream = "s"});
    value(bury(log, "s"));
    const std::lock_guard lock{mutex};
    CHECK(told == std::vector<std::string>{"s", "s", "s", "s"});
}
