// What is asked of streams, events and keys in PostgreSQL: each answer is compared with what the
// rules of reading say of the same events in memory.
#include "unit/store/written_log.hpp"

using namespace postgres_test;

namespace {

const auto missing = make_error_code(store_errc::stream_not_found);

std::vector<version> served_of(written_log& log, const std::string& stream, direction way,
                               std::size_t limit) {
    std::vector<version> all;
    version from = 0;
    do {
        const auto page = value(log.reader().read_stream("default", stream, from, limit, way));
        for (const auto& event : page.batch->events) all.push_back(event.ver);
        from = page.next;
    } while (from != 0);
    if (way == direction::backward) std::reverse(all.begin(), all.end());
    return all;
}

}  // namespace

TEST_CASE("postgres reader: an event comes out as it went in, strange names and texts included",
          "[store][postgres]") {
    written_log log;
    const std::vector<std::string> strange{"a\"b\\c'd{e},f", "äöü-日本-🐘", "50%_x-1", "$1-\\n",
                                           "-"};
    for (const auto& name : strange) {
        log.add({.tenant = name,
                 .stream = name + "-stream",
                 .type = name,
                 .tags = {name, "b" + name},
                 .data = "{\"\\u0000\":\"" + std::string(3000, 'x') + "\\\\\"}",
                 .metadata = "{\"m\":1.0}"});
        log.add({.tenant = name, .stream = name});
    }
    log.write();
    const auto same = [&](const recorded_event& seen) {
        const auto& one = log.event(seen.pos);
        CHECK(seen.ver == one.ver);
        CHECK(seen.id == one.id);
        CHECK(seen.recorded_at == one.recorded_at);
        CHECK(seen.schema_version == one.schema_version);
        CHECK(seen.tenant == one.tenant);
        CHECK(seen.stream == one.stream);
        CHECK(seen.type == one.type);
        CHECK(seen.data == one.data);
        CHECK(seen.metadata == one.metadata);
        CHECK(std::equal(seen.tags.begin(), seen.tags.end(), one.tags.begin(), one.tags.end()));
    };
    const auto whole = log.log({}, 0, 100);
    for (const auto& event : whole.batch->events) same(event);
    for (position at = 1; at <= log.head(); at += 2) {
        const auto& one = log.event(at);
        const std::string whose{one.tenant};
        same(value(log.reader().read_event(whose, one.id))->events.at(0));
        CHECK(code_of(log.reader().read_event("nobody", one.id)) ==
              make_error_code(store_errc::event_not_found));
        const auto page =
            value(log.reader().read_stream(whose, one.stream, 0, 10, direction::forward));
        REQUIRE(page.batch->events.size() == 1);
        same(page.batch->events[0]);
        for (const selector& what :
             {selector{{.types = {whose}}}, selector{{.tags = {whose, "b" + whose}}},
              selector{{.categories = {std::string{category_of(one.stream)}}}},
              selector{{.stream_prefix = whose}}}) {
            for (const auto way : {direction::forward, direction::backward}) {
                const log_filter filter{.tenant = whose, .what = what};
                CHECK(log.everything(filter, way, 10) == log.expected(filter, way));
            }
        }
        CHECK(value(log.reader().streams(whose, "", whose, "", 10)).items.size() == 2);
        CHECK(value(log.reader().streams(whose, "", whose + "-s", "", 10)).items.size() == 1);
        CHECK(value(log.reader().stream(whose, one.stream)).ver == 1);
    }
    const std::string_view impossible{"a\0b", 3};
    CHECK(code_of(log.reader().read_stream("default", impossible, 0, 1, direction::forward)) ==
          missing);
    CHECK(code_of(log.reader().stream(impossible, "\xff")) == missing);
    const log_filter broken{.what = {{.types = {std::string{impossible}}}, {.tags = {"\xff"}}}};
    CHECK(log.log(broken, 0, 10).at_end);
}

TEST_CASE("postgres reader: a stream's pages, both ways, in rows and in bytes",
          "[store][postgres]") {
    written_log log;
    for (int i = 0; i < 9; ++i) {
        log.add({.data = '"' + std::string(1'000'000, static_cast<char>('a' + i)) + '"'});
        log.add({.stream = "small"});
    }
    log.write();
    const auto read = [&](const char* stream, version from, std::size_t limit, direction way) {
        return value(log.reader().read_stream("default", stream, from, limit, way));
    };
    const auto large = read("s", 0, 100, direction::forward);
    CHECK(versions(*large.batch) == std::vector<version>{1, 2, 3, 4, 5});
    CHECK(large.next == 6);
    CHECK(large.batch->events[4].data.substr(0, 3) == "\"ee");
    CHECK(versions(*read("s", 7, 100, direction::backward).batch) ==
          std::vector<version>{7, 6, 5, 4, 3});
    CHECK(read("s", 7, 100, direction::backward).next == 2);
    CHECK(log.log({}, 0, 100).scanned_to == 9);
    CHECK(positions(*log.log({.what = {{.categories = {"s"}}}}, 0, 100).batch) ==
          std::vector<position>{1, 3, 5, 7, 9});
    for (const auto way : {direction::forward, direction::backward}) {
        for (const std::size_t limit : {1u, 4u, 9u, 10u}) {
            CHECK(served_of(log, "s", way, limit).size() == 9);
            CHECK(served_of(log, "small", way, limit).size() == 9);
        }
    }
    CHECK(read("small", 0, 9, direction::forward).next == 0);
    CHECK(read("small", 0, 8, direction::forward).next == 9);
    CHECK(read("small", 1, 1, direction::backward).next == 0);
    CHECK(read("small", UINT64_MAX, 1, direction::forward).batch->events.empty());
    CHECK(versions(*read("small", UINT64_MAX, 1, direction::backward).batch) ==
          std::vector<version>{9});
    CHECK(code_of(log.reader().read_stream("default", "t", 0, 1, direction::forward)) == missing);
    CHECK(code_of(log.reader().read_stream("nobody", "s", 0, 1, direction::backward)) == missing);
    CHECK(code_of(log.reader().read_history("nobody", "s", 0, 1)) == missing);

    const auto all = value(read_all(log.session(), 2, 17, 100));
    CHECK(all->events.front().pos == 3);
    CHECK(all->events.back().pos == 11);
    CHECK(value(read_all(log.session(), 15, 17, 100))->events.size() == 2);
    CHECK(value(read_all(log.session(), UINT64_MAX, UINT64_MAX, 100))->events.empty());
}

TEST_CASE("postgres reader: rules hide what they say, deletions all there was",
          "[store][postgres]") {
    written_log log;
    for (int i = 0; i < 10; ++i) {
        for (const auto* stream :
             {"plain", "count", "age", "before", "all", "none", "soft", "again", "gone"}) {
            log.add({.stream = stream});
        }
    }
    log.write();
    log.now = start + 100 * second;
    log.rule("default", "count", {.max_count = 3});
    log.rule("default", "age", {.max_age_us = 40 * second});
    log.rule("default", "before", {.truncate_before = 5});
    log.rule("default", "all",
             {.max_age_us = 70 * second, .max_count = 9, .truncate_before = 3, .deleted_to = 3});
    log.rule("default", "none", {.truncate_before = INT64_MAX});
    log.rule("default", "soft", {.deleted = deletion::soft, .deleted_to = 10});
    log.rule("default", "again", {.max_count = 9, .deleted_to = 6});
    log.rule("default", "gone", {.deleted = deletion::forever, .deleted_to = 10});
    using list = std::vector<version>;
    for (const auto way : {direction::forward, direction::backward}) {
        for (const std::size_t limit : {1u, 3u, 100u}) {
            CHECK(served_of(log, "plain", way, limit).size() == 10);
            CHECK(served_of(log, "count", way, limit) == list{8, 9, 10});
            // Recorded at 3, 12, …, 84, of which those from 60 on are young enough.
            CHECK(served_of(log, "age", way, limit) == list{8, 9, 10});
            CHECK(served_of(log, "before", way, limit) == list{5, 6, 7, 8, 9, 10});
            CHECK(served_of(log, "all", way, limit) == list{4, 5, 6, 7, 8, 9, 10});
            CHECK(served_of(log, "none", way, limit).empty());
            CHECK(served_of(log, "again", way, limit) == list{7, 8, 9, 10});
            CHECK(log.everything({}, way, limit) == log.expected({}, way));
        }
        CHECK(code_of(log.reader().read_stream("default", "soft", 0, 9, way)) == missing);
        CHECK(code_of(log.reader().read_stream("default", "gone", 0, 9, way)) ==
              make_error_code(store_errc::stream_deleted));
    }
    const auto history = [&](const char* stream) {
        return value(log.reader().read_history("default", stream, 1, 4));
    };
    CHECK(versions(*history("count").batch) == list{1, 2, 3, 4});
    CHECK(history("count").next == 5);
    CHECK(history("count").base == 0);
    CHECK(versions(*history("again").batch) == list{7, 8, 9, 10});
    CHECK(history("again").next == 0);
    CHECK(history("again").base == 6);
    CHECK(history("soft").batch->events.empty());
    CHECK(history("soft").base == 10);
    CHECK(code_of(log.reader().read_history("default", "gone", 1, 4)) ==
          make_error_code(store_errc::stream_deleted));
    for (position at = 1; at <= log.head(); ++at) {
        CHECK(log.reader().read_event("default", log.event(at).id).has_value() == log.serves(at));
    }
    CHECK(value(log.reader().stream("default", "none")).ver == 10);
    CHECK(value(log.reader().stream("default", "all")).settings ==
          stream_settings{.max_age_s = 70, .max_count = 9, .truncate_before = 3});
    CHECK(code_of(log.reader().stream("default", "soft")) == missing);
    CHECK(code_of(log.reader().stream("default", "gone")) ==
          make_error_code(store_errc::stream_deleted));
    const auto streams = value(log.reader().streams("default", "", "", "", 100));
    REQUIRE(streams.items.size() == 7);
    CHECK(streams.items[0].stream == "again");
    CHECK(streams.items[0].ver == 10);
    CHECK(streams.items[0].updated_at == start + 89 * second);
    // What is removed from a stream's beginning was hidden before; halving goes on over it.
    log.remove(3);
    log.remove(12);
    CHECK(served_of(log, "age", direction::forward, 100) == list{8, 9, 10});
    CHECK(log.everything({}, direction::forward, 7) == log.expected({}, direction::forward));
}

TEST_CASE("postgres reader: streams by category, prefix and the last name, bytewise",
          "[store][postgres]") {
    written_log log;
    for (const auto* name :
         {"order-2", "order-10", "order", "order,x", "orders-1", "order-1", "Zebra-1", "ärger-1",
          "order-\xf4\x8f\xbf\xbf", "order-%", "order-_"}) {
        log.add({.stream = name});
    }
    log.add({.tenant = "other", .stream = "order-3"});
    log.write();
    const auto names = [&](std::string_view category, std::string_view prefix) {
        std::vector<std::string> all;
        std::string after;
        do {
            const auto page = value(log.reader().streams("default", category, prefix, after, 2));
            for (const auto& info : page.items) all.push_back(info.stream);
            after = page.next;
        } while (!after.empty());
        return all;
    };
    using texts = std::vector<std::string>;
    CHECK(names("", "") == texts{"Zebra-1", "order", "order,x", "order-%", "order-1", "order-10",
                                 "order-2", "order-_", "order-\xf4\x8f\xbf\xbf", "orders-1",
                                 "ärger-1"});
    CHECK(names("order", "") == texts{"order", "order-%", "order-1", "order-10", "order-2",
                                      "order-_", "order-\xf4\x8f\xbf\xbf"});
    CHECK(names("order", "order-1") == texts{"order-1", "order-10"});
    CHECK(names("", "order-%") == texts{"order-%"});
    CHECK(names("", "order-_") == texts{"order-_"});
    CHECK(names("", "order-\xf4\x8f\xbf\xbf") == texts{"order-\xf4\x8f\xbf\xbf"});
    CHECK(names("order", "orders").empty());
    CHECK(names("unknown", "").empty());
    CHECK(value(log.reader().streams("default", "", "order-1", "zzz", 10)).items.empty());
    CHECK(value(log.reader().streams("default", "", "ä", "order", 10)).items.size() == 1);
    CHECK(value(log.reader().streams("nobody", "", "", "", 10)).items.empty());
}

TEST_CASE("postgres reader: answers are remembered until they expire", "[store][postgres]") {
    written_log log;
    log.add({});
    log.write();
    log.run(
        "INSERT INTO idempotency_keys VALUES ((SELECT id FROM names WHERE kind = 1), $1,"
        " '\\x00ff41', $2, $3)",
        params{}.add("k").add("{\"a\":1}").add(log.now + 1));
    const auto found = value(log.reader().find_answer("default", "k"));
    REQUIRE(found);
    CHECK(found->fingerprint == std::string("\0\xff"
                                            "A",
                                            3));
    CHECK(found->answer == "{\"a\":1}");
    CHECK_FALSE(value(log.reader().find_answer("nobody", "k")));
    CHECK_FALSE(value(log.reader().find_answer("default", "l")));
    ++log.now;
    CHECK_FALSE(value(log.reader().find_answer("default", "k")));
}
