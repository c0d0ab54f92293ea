// Reads of the whole log in PostgreSQL, with every kind of filter.
#include "unit/store/written_log.hpp"

#include <random>

using namespace postgres_test;

TEST_CASE("postgres reader: how far a read of the log came, at its edges", "[store][postgres]") {
    written_log log;
    CHECK(log.log({}, 0, 10).at_end);
    CHECK(log.log({}, 0, 10).scanned_to == 0);
    CHECK(log.log({}, 0, 10, direction::backward).at_end);
    for (int i = 1; i <= 12; ++i) log.add({.stream = i % 3 == 0 ? "b-1" : "a-1", .tags = {"t"}});
    log.write();
    const auto first = log.log({}, 0, 5);
    CHECK(first.scanned_to == 5);
    CHECK_FALSE(first.at_end);
    CHECK(log.log({}, 7, 5).at_end);
    CHECK(log.log({}, 99, 5).scanned_to == 99);
    CHECK(log.log({}, 3, 3, direction::backward).at_end);
    CHECK(log.log({}, 0, 3, direction::backward).scanned_to == 10);
    const log_filter nothing{.what = {{.types = {"unknown"}}}};
    CHECK(log.log(nothing, 3, 10).at_end);
    CHECK(log.log(nothing, 3, 10).scanned_to == 12);
    CHECK(log.log({.tenant = "nobody"}, 3, 10).at_end);
    const log_filter bs{.what = {{.categories = {"b"}}}};
    CHECK(positions(*log.log(bs, 3, 2).batch) == std::vector<position>{6, 9});
    CHECK_FALSE(log.log(bs, 3, 2).at_end);
    CHECK(log.log(bs, 3, 3).at_end);
    // What others have written beyond the head is not shown.
    const auto known = value(log.reader().read_log({}, 0, 100, direction::forward, 7));
    CHECK(known.batch->events.size() == 7);
    CHECK(known.scanned_to == 7);
    CHECK(known.at_end);
    CHECK(positions(*value(log.reader().read_log(bs, 0, 9, direction::backward, 7)).batch) ==
          std::vector<position>{6, 3});
}

TEST_CASE("postgres reader: what is rare in a long log is found without going through all of it",
          "[store][postgres]") {
    written_log log;
    for (int i = 1; i <= 60'000; ++i) {
        const bool rare = i == 50 || i == 59'000;
        std::vector<std::string> tags{"all"};
        if (rare) tags.emplace_back("rare");
        if (i % 10 == 1 || i == 58'000) tags.emplace_back("tenth");
        log.add({.tenant = rare ? "small" : "default",
                 .stream = rare ? "rare-1" : "noise-1",
                 .type = i % 10 == 0 && !rare ? "test.tenth" : "test.happened",
                 .tags = tags});
    }
    log.write();
    const log_filter filters[] = {
        {.tenant = "small"},
        {.what = {{.categories = {"rare"}}}},
        {.what = {{.tags = {"all", "rare"}}}},
        {.what = {{.types = {"test.happened"}, .tags = {"rare"}}}},
        {.what = {{.stream_prefix = "rare-"}}},
        {.what = {{.tags = {"rare"}}, {.types = {"unknown"}}}},
        {.tenant = "small", .what = {{.types = {"test.happened"}}}},
    };
    for (const auto& filter : filters) {
        const auto all = log.log(filter, 0, 10);
        CHECK(positions(*all.batch) == std::vector<position>{50, 59'000});
        CHECK(all.at_end);
        const auto back = log.log(filter, 0, 10, direction::backward);
        CHECK(positions(*back.batch) == std::vector<position>{59'000, 50});
        CHECK(back.at_end);
    }
    // Two lists that hardly meet: a call gives up after a while, and the next one goes on.
    const log_filter apart{.what = {{.types = {"test.tenth"}, .tags = {"tenth"}}}};
    const auto first = log.log(apart, 0, 10);
    CHECK(first.batch->events.empty());
    CHECK_FALSE(first.at_end);
    CHECK(first.scanned_to > 40'000);
    for (const auto way : {direction::forward, direction::backward}) {
        CHECK(log.everything(apart, way, 10) == std::vector<position>{58'000});
    }
    const log_filter scanned{.what = {{.stream_prefix = "rar"}}};
    CHECK(log.log(scanned, 50, 10).batch->events.empty());
    CHECK(log.log(scanned, 50, 10).scanned_to == 50 + events_looked_at_max);
    CHECK(log.everything(scanned, direction::backward, 10) ==
          log.expected(scanned, direction::backward));
}

TEST_CASE("postgres reader: whatever is asked of the log, the answer is what its rules say",
          "[store][postgres]") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::minstd_rand random{seed};
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const auto pick = [&](const char* start_of, int n) {
        return start_of + std::to_string(below(n));
    };
    written_log log;
    for (int i = 0; i < 1500; ++i) {
        written one{.tenant = pick("tenant", 2),
                    .stream = pick("cat", 4) + "-" + std::to_string(below(6)),
                    .type = pick("type", 5)};
        if (below(3) == 0) one.tags.push_back(pick("x", 3));
        if (below(30) == 0) one.tags.push_back(pick("y", 3));
        log.add(one);
    }
    log.write();
    log.now = start + 1500 * second;
    for (int i = 0; i < 12; ++i) {
        const auto of = pick("tenant", 2);
        stream_rules rules;
        if (below(2) == 0) rules.max_count = 1 + static_cast<std::uint64_t>(below(20));
        if (below(2) == 0) rules.max_age_us = (1 + below(1500)) * second;
        if (below(2) == 0) rules.truncate_before = 1 + static_cast<version>(below(20));
        if (below(3) == 0) rules.deleted_to = static_cast<version>(below(15));
        if (below(6) == 0) rules.deleted = deletion::soft;
        log.rule(of, "cat" + std::to_string(i % 4) + "-" + std::to_string(i / 4), rules);
    }
    for (position at = 1; at < log.head(); ++at) {
        if (!log.serves(at) && below(2) == 0) log.remove(at);
    }
    const auto some = [&](const char* start_of, int n, int one_in) {
        std::vector<std::string> all;
        while (below(one_in) == 0 && all.size() < 3) all.push_back(pick(start_of, n));
        return all;
    };
    for (int i = 0; i < 400; ++i) {
        log_filter filter;
        if (below(2) == 0) filter.tenant = pick("tenant", 2);
        if (below(4) == 0) filter.since = start + below(1700) * second;
        for (int clauses = below(4); clauses > 0; --clauses) {
            filter.what.push_back({.types = some("type", 6, 3),
                                   .tags = some(below(2) == 0 ? "x" : "y", 4, 2),
                                   .categories = some("cat", 5, 3),
                                   .stream_prefix = below(4) == 0   ? pick("cat", 4) + "-"
                                                    : below(4) == 0 ? "cat"
                                                                    : ""});
        }
        const std::size_t limit = i % 3 == 0 ? 1000 : 20 + static_cast<std::size_t>(below(80));
        for (const auto way : {direction::forward, direction::backward}) {
            INFO("filter " << i);
            CHECK(log.everything(filter, way, limit) == log.expected(filter, way));
        }
    }
}
