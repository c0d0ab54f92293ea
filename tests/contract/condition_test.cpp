// "No event matching this selector after that position": alone, in a batch, under racing writers.
#include "contract/harness.hpp"

#include <boost/json.hpp>

#include <random>
#include <thread>

using namespace contract;

namespace {

const auto failed = make_error_code(store_errc::condition_failed);

std::error_code try_with(event_log& log, selector none_match, position after,
                         const std::string& in = "default") {
    return code_of(append(log, {.appends = {{.stream = "probe", .events = {}}},
                                .condition = append_condition{std::move(none_match), after},
                                .tenant = in}));
}

/// Ten events over three streams of two categories.
void fill(event_log& log) {
    for (int i = 1; i <= 10; ++i) {
        appended(
            log,
            {.stream = i % 3 == 0 ? "other.kind-1" : "order-" + std::to_string(i % 3),
             .events = {{.type = i % 2 == 0 ? "even" : "odd",
                         .tags = {"n:" + std::to_string(i), i <= 5 ? "half:low" : "half:high"}}}});
    }
}

}  // namespace

TEST_CASE("condition: a position beyond the log's end is refused, nobody has seen it",
          "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    appended(log, {.stream = "s", .events = {{.tags = {"seat"}}}});
    const auto under = [&](position after) {
        return append(log, {.appends = {{.stream = "t"}},
                            .condition = append_condition{{{.tags = {"seat"}}}, after}});
    };
    CHECK(code_of(under(2)) == make_error_code(store_errc::invalid_request));
    CHECK(log.head() == 1);
    CHECK(under(1));
}

TEST_CASE("condition: holds when nothing matches after the position", "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    fill(log);
    const std::error_code ok;
    SECTION("by tags, all of a clause") {
        CHECK(try_with(log, {{.tags = {"n:7"}}}, 6) == failed);
        CHECK(try_with(log, {{.tags = {"n:7"}}}, 7) == ok);
        CHECK(try_with(log, {{.tags = {"n:7", "half:high"}}}, 0) == failed);
        CHECK(try_with(log, {{.tags = {"n:7", "half:low"}}}, 0) == ok);
        CHECK(try_with(log, {{.tags = {"unknown"}}}, 0) == ok);
    }
    SECTION("by types, any of a clause") {
        CHECK(try_with(log, {{.types = {"even", "unknown"}}}, 9) == failed);
        CHECK(try_with(log, {{.types = {"odd"}}}, 9) == ok);
        CHECK(try_with(log, {{.types = {"odd"}, .tags = {"n:4"}}}, 0) == ok);
        CHECK(try_with(log, {{.types = {"even"}, .tags = {"n:4"}}}, 0) == failed);
    }
    SECTION("by category and stream prefix") {
        CHECK(try_with(log, {{.categories = {"other.kind"}}}, 8) == failed);
        CHECK(try_with(log, {{.categories = {"other.kind"}}}, 9) == ok);
        CHECK(try_with(log, {{.categories = {"other"}}}, 0) == ok);
        CHECK(try_with(log, {{.stream_prefix = "order-"}}, 9) == failed);
        CHECK(try_with(log, {{.stream_prefix = "order-"}}, 10) == ok);
        CHECK(try_with(log, {{.stream_prefix = "orderly"}}, 0) == ok);
        CHECK(try_with(log, {{.types = {"even"}, .stream_prefix = "other"}}, 5) == failed);
        CHECK(try_with(log, {{.types = {"even"}, .stream_prefix = "other"}}, 6) == ok);
    }
    SECTION("any clause is enough, no clause matches everything") {
        CHECK(try_with(log, {{.tags = {"unknown"}}, {.tags = {"n:10"}}}, 9) == failed);
        CHECK(try_with(log, {}, 9) == failed);
        CHECK(try_with(log, {}, 10) == ok);
        CHECK(try_with(log, {{}}, 9) == failed);
        CHECK(try_with(log, {}, log.head()) == ok);
    }
}

TEST_CASE("condition: a refusal names the position and writes nothing", "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    fill(log);
    const auto refused = append(log, {.appends = {{.stream = "order-1"}},
                                      .condition = append_condition{{{.tags = {"half:low"}}}, 2}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == failed);
    CHECK(refused.error().members->at("position").to_number<int>() == 3);
    const auto& failures = refused.error().members->at("failures").as_array();
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].at("code").as_string() == "condition_failed");
    CHECK(log.head() == 10);
}

TEST_CASE("condition: a wide one over many streams is exact", "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    // More events after the position than are looked at one by one.
    for (int i = 0; i < 12; ++i) {
        appended(log, {.stream = "wide-" + std::to_string(i % 5), .events = events(1000)});
    }
    appended(log, {.stream = "narrow-1"});
    for (int i = 0; i < 12; ++i) {
        appended(log, {.stream = "wide-" + std::to_string(i % 5), .events = events(1000)});
    }
    const auto refused =
        append(log, {.appends = {{.stream = "probe"}},
                     .condition = append_condition{{{.stream_prefix = "wide-1"}}, 1500}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().members->at("position").to_number<int>() == 1501);
    // Beyond what is looked at one by one.
    const auto far = append(log, {.appends = {{.stream = "probe"}},
                                  .condition = append_condition{{{.stream_prefix = "narrow"}}, 1}});
    REQUIRE_FALSE(far);
    CHECK(far.error().members->at("position").to_number<int>() == 12'001);
    CHECK(try_with(log, {{.stream_prefix = "narrow"}}, 12'000) == failed);
    CHECK(try_with(log, {{.stream_prefix = "narrow"}}, 12'001) == std::error_code{});
    CHECK(try_with(log, {{.stream_prefix = "wide-3"}}, 23'999) == std::error_code{});
}

TEST_CASE("condition: earlier appends of the same batch count, own events do not",
          "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    const auto seat = [](const std::string& stream) {
        return request{.appends = {{.stream = stream, .events = {{.tags = {"seat:1"}}}}},
                       .condition = append_condition{{{.tags = {"seat:1"}}}, 0}};
    };
    std::vector<event_log::queued> together;
    std::vector<std::promise<result<append_outcome>>> answers(3);
    for (std::size_t i = 0; i < 3; ++i) {
        together.push_back(
            {build(seat("s-" + std::to_string(i))), [&answers, i](result<append_outcome> answer) {
                 answers[i].set_value(std::move(answer));
             }});
    }
    log.append_all(std::move(together));
    CHECK(answers[0].get_future().get());
    CHECK(code_of(answers[1].get_future().get()) == failed);
    CHECK(code_of(answers[2].get_future().get()) == failed);
    CHECK(log.head() == 1);
}

TEST_CASE("condition: random selectors agree with a plain look at every event",
          "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    std::mt19937 random{42};  // NOLINT: the same run each time
    const auto pick = [&](int below) { return static_cast<int>(random() % unsigned(below)); };
    constexpr int events_made = 900;
    for (int i = 0; i < events_made; ++i) {
        std::vector<std::string> tags;
        for (int t = 0; t < 4; ++t) {
            if (pick(3) == 0) tags.push_back("t:" + std::to_string(t));
        }
        // Half of the streams have no '-': each is a category of its own.
        const auto stream = pick(2) == 0
                                ? "c" + std::to_string(pick(3)) + "-" + std::to_string(pick(90))
                                : "solo." + std::to_string(pick(1000));
        appended(log, {.stream = stream,
                       .events = {{.type = "y" + std::to_string(pick(4)), .tags = tags}}});
    }
    const auto all = value(log.read_log({}, 0, 1000, direction::forward));
    REQUIRE(all.batch->events.size() == events_made);
    const std::vector<std::string> prefixes{"c",    "c0",    "c1-",    "c2-7",    "c0-11", "c1-x",
                                            "solo", "solo.", "solo.7", "solo.77", "x"};
    for (int round = 0; round < 300; ++round) {
        selector what(1 + std::size_t(pick(2)));
        for (auto& clause : what) {
            for (int t = pick(3); t > 0; --t) clause.tags.push_back("t:" + std::to_string(t));
            for (int t = pick(3); t > 0; --t) clause.types.push_back("y" + std::to_string(t));
            if (pick(3) == 0) clause.categories.push_back("c" + std::to_string(pick(4)));
            if (pick(2) == 0)
                clause.stream_prefix = prefixes[std::size_t(pick(int(prefixes.size())))];
        }
        const auto after = static_cast<position>(pick(events_made + 1));
        std::vector<position> matching;
        position first = 0;
        for (const auto& event : all.batch->events) {
            if (!matches(what, event)) continue;
            matching.push_back(event.pos);
            if (event.pos > after && first == 0) first = event.pos;
        }
        const auto answer = append(log, {.appends = {{.stream = "probe", .events = {}}},
                                         .condition = append_condition{what, after}});
        if (first == 0) {
            CHECK(answer);
        } else {
            REQUIRE_FALSE(answer);
            CHECK(answer.error().members->at("position").to_number<position>() == first);
        }
        // The same selector as a filter of the log, both ways.
        CHECK(all_positions(log, {.what = what}, direction::forward, 37) == matching);
        std::reverse(matching.begin(), matching.end());
        CHECK(all_positions(log, {.what = what}, direction::backward, 41) == matching);
    }
}

TEST_CASE("condition: parallel conditional appends keep their invariant", "[store][condition]") {
    store_under_test store{each_backend()};
    event_log& log = store.log();
    constexpr int courses = 4;
    constexpr int capacity = 10;
    constexpr int threads = 8;
    constexpr int tries = 60;
    std::atomic<int> accepted{0};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
        running.emplace_back([&, t] {
            std::mt19937 random{static_cast<unsigned>(t)};  // NOLINT
            for (int i = 0; i < tries; ++i) {
                const std::string course = "course:" + std::to_string(random() % courses);
                const selector mine{{.types = {"subscribed"}, .tags = {course}}};
                const auto seen = log.read_log({.what = mine}, 0, 1000, direction::forward);
                if (!seen || seen->batch->events.size() >= capacity) continue;
                const position upto =
                    seen->batch->events.empty() ? 0 : seen->batch->events.back().pos;
                const auto answer = append(
                    log, {.appends = {{.stream = "student-" + std::to_string(t),
                                       .events = {{.type = "subscribed", .tags = {course}}}}},
                          .condition = append_condition{mine, upto}});
                if (answer) ++accepted;
            }
        });
    }
    for (auto& thread : running) thread.join();
    std::size_t total = 0;
    for (int c = 0; c < courses; ++c) {
        const auto count =
            all_positions(log, {.what = {{.tags = {"course:" + std::to_string(c)}}}}).size();
        CHECK(count <= capacity);
        total += count;
    }
    CHECK(total == static_cast<std::size_t>(accepted.load()));
    CHECK(total > 0);
    CHECK(log.head() == total);
}
