// The space of events that are not served any more is freed, and nothing else changes by it.
#include "contract/rules_fixture.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_log.hpp"
#include "store/sqlite/rule_rows.hpp"
#include "store/verify.hpp"

#include <fstream>

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;

namespace {

template <class Condition>
bool eventually(Condition holds) {
    const auto give_up = monotonic::now() + std::chrono::seconds{30};
    while (!holds()) {
        if (monotonic::now() > give_up) return false;
        std::this_thread::yield();
    }
    return true;
}

struct own_log {
    scratch_folder folder;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    std::atomic<unix_us> clock{1'000'000'000};
    std::unique_ptr<event_log> log;

    own_log() { open(); }
    void open() {
        log.reset();
        log = value(sqlite::open_log({.folder = value(data_folder::open(folder.path())),
                                      .limits = {},
                                      .clock = [this] { return clock.load(); }},
                                     metrics, health));
    }
    [[nodiscard]] std::int64_t number(const std::string& sql) const {
        auto db = value(connection::open({.file = folder.path() / "events.db"}));
        return value(db.integer(sql));
    }
    [[nodiscard]] bool comes_to(const std::string& sql, std::int64_t wanted) const {
        const bool came = eventually([&] { return number(sql) == wanted; });
        if (!came) UNSCOPED_INFO(sql << " stays at " << number(sql));
        return came;
    }
    /// Every position up to the head is an event or in a hole.
    [[nodiscard]] bool accounted() const {
        return number(
                   "SELECT (SELECT count(*) FROM events) + "
                   "(SELECT coalesce(sum(last-first+1), 0) FROM holes)") ==
               number("SELECT max(position) FROM events");
    }
};

const std::string all_events = "SELECT count(*) FROM events";
const std::string all_holes = "SELECT count(*) FROM holes";

}  // namespace

TEST_CASE("reclaim: events beyond max count go, their tags with them, their holes recorded",
          "[store][reclaim]") {
    own_log store;
    std::vector<event> tagged(900);
    for (auto& one : tagged) one.tags = {"t", "u"};
    appended(*store.log, {.stream = "s", .events = tagged});
    appended(*store.log, {.stream = "other", .events = events(10)});
    value(set(*store.log, "s", {.max_count = 5}));
    REQUIRE(store.comes_to(all_events, 15));
    CHECK(store.number("SELECT count(*) FROM event_tags") == 10);
    CHECK(store.number(all_holes) == 1);
    CHECK(store.number("SELECT first FROM holes") == 1);
    CHECK(store.number("SELECT last FROM holes") == 895);
    CHECK(store.accounted());
    for (int round = 0; round < 2; ++round) {
        CHECK(served(*store.log, "s") == list{896, 897, 898, 899, 900});
        CHECK(current_version(*store.log, "s") == 900);
        CHECK(all_positions(*store.log, {}).size() == 15);
        CHECK(all_positions(*store.log, {.what = {{.tags = {"u"}}}}).size() == 5);
        CHECK(store.log->head() == 910);
        store.open();
    }
    const auto next = appended(*store.log, {.stream = "s", .expected = at(900)});
    CHECK(next.pos == 911);
    CHECK(next.appends.at(0).first_version == 901);
}

TEST_CASE("reclaim: the last event of a stream and of the log stay, hidden", "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "s", .events = events(3)});
    appended(*store.log, {.stream = "t", .events = events(3)});
    value(set(*store.log, "s", {.max_age_s = 1}));
    value(soft_delete(*store.log, "t"));
    store.clock += 2'000'000;
    store.open();
    // Of s version 3; of t, which its deletion remembers, the log's last.
    REQUIRE(store.comes_to(all_events, 2));
    CHECK(store.accounted());
    CHECK(served(*store.log, "s").empty());
    store.open();
    CHECK(store.log->head() == 6);
    CHECK(appended(*store.log, {.stream = "s", .expected = at(3)}).pos == 7);
    CHECK(appended(*store.log, {.stream = "t", .expected = none}).appends.at(0).first_version == 4);
    store.open();
    REQUIRE(store.comes_to(all_events, 2));
    CHECK(store.number("SELECT count(DISTINCT operation) FROM holes") == 2);
    CHECK(store.accounted());
    CHECK(served(*store.log, "s") == list{4});
    CHECK(served(*store.log, "t") == list{4});
}

TEST_CASE("reclaim: a stream whose events are all gone goes on from its version",
          "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "s", .events = events(3)});
    appended(*store.log, {.stream = "gone", .events = events(3)});
    appended(*store.log, {.stream = "other"});
    value(soft_delete(*store.log, "s"));
    value(bury(*store.log, "gone"));
    REQUIRE(store.comes_to(all_events, 1));
    store.open();
    CHECK(code_of(store.log->stream(tenant, "s")) == make_error_code(store_errc::stream_not_found));
    CHECK(code_of(store.log->stream(tenant, "gone")) ==
          make_error_code(store_errc::stream_deleted));
    CHECK(value(store.log->read_history(tenant, "s", 1, 10)).base == 3);
    CHECK(value(soft_delete(*store.log, "s", at(3))).repeated);
    CHECK(appended(*store.log, {.stream = "s", .expected = none}).appends.at(0).first_version == 4);
    CHECK(value(store.log->streams(tenant, "", "", "", 10)).items.size() == 2);
}

TEST_CASE("reclaim: ids of events that are gone are known for a day, then forgotten",
          "[store][reclaim]") {
    own_log store;
    const to_stream first{.stream = "s", .events = events_with_ids(3)};
    const auto outcome = appended(*store.log, first);
    appended(*store.log, {.stream = "s"});
    appended(*store.log, {.stream = "other"});
    SECTION("all of the append") { value(set(*store.log, "s", {.max_count = 1})); }
    SECTION("its beginning") { value(set(*store.log, "s", {.max_count = 2})); }
    REQUIRE(eventually([&] { return store.number(all_holes) == 1; }));
    for (int round = 0; round < 2; ++round) {
        const auto again = appended(*store.log, first);
        CHECK(again.repeated);
        CHECK(again.pos == outcome.pos);
        CHECK(again.recorded_at == outcome.recorded_at);
        CHECK(again.appends.at(0).first_version == 1);
        // A part of it is still none.
        auto part = first;
        part.events.pop_back();
        CHECK(code_of(append(*store.log, part)) == make_error_code(store_errc::event_id_conflict));
        part = first;
        part.stream = "other";
        CHECK(code_of(append(*store.log, part)) == make_error_code(store_errc::event_id_conflict));
        store.clock += 24LL * 3600 * 1'000'000;
        store.open();
    }
    store.clock += 2LL * 3600 * 1'000'000;
    store.open();
    REQUIRE(store.comes_to("SELECT count(*) FROM removed_ids", 0));
    CHECK(store.accounted());
}

TEST_CASE("reclaim: a repeated append tells how a stream stood whose events are gone",
          "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "s", .events = events(2)});
    const request first{.appends = {{.stream = "s", .expected = at(2), .events = {}},
                                    {.stream = "t", .events = events_with_ids(1)}}};
    REQUIRE(appended(*store.log, first).appends.at(0).last_version == 2);
    appended(*store.log, {.stream = "s", .events = events(3)});
    appended(*store.log, {.stream = "end"});
    value(set(*store.log, "s", {.max_count = 1}));
    REQUIRE(store.comes_to(all_events, 3));
    CHECK(appended(*store.log, first).appends.at(0).last_version == 2);
    value(soft_delete(*store.log, "s"));
    REQUIRE(store.comes_to(all_events, 2));
    store.open();
    CHECK(appended(*store.log, first).appends.at(0).last_version == 2);
}

TEST_CASE("reclaim: the beginning of an append whose end is forgotten is not the append",
          "[store][reclaim]") {
    own_log store;
    const to_stream kept{.stream = "s", .events = events_with_ids(2)};
    appended(*store.log, request{.appends = {kept, {.stream = "t", .events = events_with_ids(1)}}});
    appended(*store.log, {.stream = "t"});
    const to_stream last{.stream = "end", .events = events_with_ids(1)};
    appended(*store.log, last);
    value(set(*store.log, "t", {.max_count = 1}));
    REQUIRE(store.comes_to(all_events, 4));
    const auto overlap = make_error_code(store_errc::event_id_conflict);
    CHECK(code_of(append(*store.log, kept)) == overlap);
    store.clock += 26LL * 3600 * 1'000'000;
    store.open();
    REQUIRE(store.comes_to("SELECT count(*) FROM removed_ids", 0));
    CHECK(code_of(append(*store.log, kept)) == overlap);
    CHECK(appended(*store.log, last).repeated);
}

TEST_CASE("reclaim: an aggregate's history goes only with its stream", "[store][reclaim]") {
    own_log store;
    store.log->keep_history("counter");
    for (const auto* stream : {"counter-1", "counter-2", "other-1"}) {
        appended(*store.log, {.stream = stream, .events = events(10)});
    }
    appended(*store.log, {.stream = "end"});
    CHECK(eventually([&] { return store.number("SELECT count(*) FROM kept_categories") == 1; }));
    store.open();  // as if its plugin were not there
    for (const auto* stream : {"counter-1", "counter-2", "other-1"}) {
        value(set(*store.log, stream, {.max_count = 2}));
    }
    REQUIRE(store.comes_to(all_events, 23));
    CHECK(served(*store.log, "counter-1") == list{9, 10});
    CHECK(value(store.log->read_history(tenant, "counter-1", 1, 100)).batch->events.size() == 10);
    value(soft_delete(*store.log, "counter-1"));
    REQUIRE(store.comes_to(all_events, 13));
    CHECK(value(store.log->read_history(tenant, "counter-2", 1, 100)).batch->events.size() == 10);
    CHECK(store.accounted());
}

TEST_CASE("reclaim: readers and writers go on meanwhile, and are shown nothing of it",
          "[store][reclaim]") {
    own_log store;
    for (int s = 0; s < 20; ++s) {
        appended(*store.log, {.stream = "s-" + std::to_string(s), .events = events(300)});
    }
    std::atomic<bool> over{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int r = 0; r < 2; ++r) {
        readers.emplace_back([&] {
            while (!over) {
                for (int s = 0; s < 20; ++s) {
                    const auto page = store.log->read_stream(tenant, "s-" + std::to_string(s), 0,
                                                             1000, direction::backward);
                    if (!page || page->batch->events.empty()) {
                        wrong.fetch_add(1);
                        continue;
                    }
                    version next = page->batch->events.front().ver;
                    for (const auto& event : page->batch->events) {
                        if (event.ver != next--) wrong.fetch_add(1);
                    }
                }
            }
        });
    }
    for (int s = 0; s < 20; ++s) {
        value(set(*store.log, "s-" + std::to_string(s), {.max_count = 10}));
        appended(*store.log, {.stream = "s-" + std::to_string(s), .expected = at(300)});
    }
    CHECK(store.comes_to(all_events, 200));
    over = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    CHECK(store.accounted());
}

TEST_CASE("reclaim: rules that are not what was written are named, not followed",
          "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "s", .events = events(3)});
    value(set(*store.log, "s", {.max_count = 2}));
    store.log->stop();
    {
        auto db = value(connection::open(
            {.file = store.folder.path() / "events.db", .mode = access::read_write}));
        value(db.execute("UPDATE stream_rules SET max_count=1"));
    }
    store.open();
    const auto read = store.log->read_stream(tenant, "s", 0, 10, direction::forward);
    REQUIRE(code_of(read) == make_error_code(store_errc::corrupt));
    CHECK(read.error().client.find("stream_rules") != std::string::npos);
}

TEST_CASE("reclaim: a stream that is damaged is left alone, the others and appends go on",
          "[store][reclaim]") {
    own_log store;
    for (const auto* stream : {"a", "b", "c", "d"}) {
        appended(*store.log, {.stream = stream, .events = events(10)});
    }
    store.log->stop();
    {
        auto db = value(connection::open(
            {.file = store.folder.path() / "events.db", .mode = access::read_write}));
        // Rules that nobody wrote for b, the right ones for the others.
        for (std::uint64_t stream = 1; stream <= 4; ++stream) {
            sqlite::rule_row rule;
            rule.stream = stream;
            rule.tenant = 1;
            rule.max_count = 2;
            auto put = value(
                db.prepare("INSERT INTO stream_rules VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
            sqlite::bind_rule(put, rule);
            if (stream == 2) put.bind(8, std::uint64_t{1});
            value(db.run(put, "put"));
        }
    }
    store.open();
    REQUIRE(store.comes_to(all_events, 2 + 10 + 2 + 2));
    for (int i = 0; i < 100; ++i) appended(*store.log, {.stream = "e"});
    CHECK(store.accounted());
}

TEST_CASE("reclaim: an event that is not what was written stays, and all behind it",
          "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "a", .events = events_with_ids(10)});
    appended(*store.log, {.stream = "b", .events = events(10)});
    store.log->stop();
    {
        auto db = value(connection::open(
            {.file = store.folder.path() / "events.db", .mode = access::read_write}));
        value(
            db.execute("DROP TRIGGER events_never_change;"
                       "UPDATE events SET id=randomblob(16) WHERE position=4"));
    }
    store.open();
    value(set(*store.log, "a", {.max_count = 1}));
    value(set(*store.log, "b", {.max_count = 1}));
    REQUIRE(store.comes_to(all_events, 7 + 1));
    CHECK(store.number("SELECT min(position) FROM events") == 4);
    CHECK(store.number("SELECT count(*) FROM removed_ids WHERE position=4") == 0);
    CHECK(store.accounted());
    appended(*store.log, {.stream = "a"});
}

TEST_CASE("reclaim: large events go as well, however few a step takes", "[store][reclaim]") {
    own_log store;
    const std::string large = '"' + std::string(400'000, 'x') + '"';
    for (int i = 0; i < 12; ++i) {
        appended(*store.log, {.stream = i % 2 == 0 ? "s" : "t", .events = {{.data = large}}});
    }
    value(set(*store.log, "s", {.max_count = 1}));
    value(set(*store.log, "t", {.max_count = 1}));
    REQUIRE(store.comes_to(all_events, 2));
    CHECK(store.accounted());
}

TEST_CASE("reclaim: a damaged page of the rules stops reclaiming and nothing else",
          "[store][reclaim]") {
    own_log store;
    for (int s = 0; s < 300; ++s) {
        const auto name = "s-" + std::to_string(s);
        appended(*store.log, {.stream = name});
        value(set(*store.log, name, {.max_count = 5}));
    }
    store.log->stop();
    std::int64_t root = 0;
    {
        auto db = value(connection::open({.file = store.folder.path() / "events.db"}));
        root = value(db.integer("SELECT rootpage FROM sqlite_schema WHERE name='stream_rules'"));
    }
    store.log.reset();
    {
        std::fstream file{store.folder.path() / "events.db",
                          std::ios::binary | std::ios::in | std::ios::out};
        const auto number_at = [&](std::int64_t at, int bytes) {
            std::int64_t number = 0;
            for (file.seekg(at); bytes > 0; --bytes) number = number << 8 | file.get();
            return number;
        };
        // The root's first cell begins with the number of the first leaf.
        const std::int64_t start = (root - 1) * 4096;
        REQUIRE(number_at(start, 1) == 5);
        const std::int64_t leaf = number_at(start + number_at(start + 12, 2), 4);
        const auto flipped = static_cast<char>(number_at((leaf - 1) * 4096 + 3000, 1) ^ 1);
        file.seekp((leaf - 1) * 4096 + 3000);
        file.put(flipped);
    }
    store.open();
    for (int i = 0; i < 300; ++i) appended(*store.log, {.stream = "e"});
    CHECK(code_of(store.log->stream(tenant, "s-0")) == make_error_code(store_errc::corrupt));
}

TEST_CASE("reclaim: a pass comes to its end however often rules change", "[store][reclaim]") {
    own_log store;
    constexpr int streams = 1000;
    for (int s = 0; s < streams; ++s) {
        appended(*store.log, {.stream = "s-" + std::to_string(s), .events = events(2)});
    }
    appended(*store.log, {.stream = "end"});
    for (int s = 0; s < streams; ++s) {
        value(set(*store.log, "s-" + std::to_string(s), {.max_count = 1}));
    }
    // The last stream's is reached while the first one's rules go on changing.
    std::uint64_t most = 2;
    const auto reached = [&] {
        for (int i = 0; i < 20; ++i) {
            ++most;
            value(set(*store.log, "s-0", {.max_count = most}));
        }
        return store.number(all_events) == streams + 1;
    };
    CHECK(eventually(reached));
}

TEST_CASE("reclaim: verify tells what was removed from what was lost", "[store][reclaim]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    event_log& log = store.log();
    for (const auto* stream : {"cut", "deleted", "rewritten", "buried", "whole"}) {
        appended(log, {.stream = stream, .events = std::vector<event>(20, {.tags = {"t"}})});
    }
    value(set(log, "cut", {.max_count = 3}));
    value(soft_delete(log, "deleted"));
    value(soft_delete(log, "rewritten"));
    appended(log, {.stream = "rewritten", .events = events(2)});
    value(bury(log, "buried"));
    const auto left = [&] {
        auto db = value(connection::open({.file = store.folder() / "data" / "events.db"}));
        return value(db.integer("SELECT count(*) FROM events"));
    };
    REQUIRE(eventually([&] { return left() == 3 + 2 + 20; }));
    store.close();
    const auto report = value(verify(store.folder() / "data", {}));
    for (const auto& one : report.findings) UNSCOPED_INFO(one.what);
    CHECK(report.sound());
    CHECK(report.events == 25);
    CHECK(report.removed == 77);
    CHECK(report.head == 102);
}

TEST_CASE("reclaim: verify beside it takes nothing that goes meanwhile for lost",
          "[store][reclaim]") {
    own_log store;
    for (int i = 0; i < 50; ++i) appended(*store.log, {.stream = "s", .events = events(100)});
    appended(*store.log, {.stream = "other"});
    bool gone = false;
    const auto report = value(verify(store.folder.path(), [&](const verify_progress& at) {
        if (gone || at.step != "events.db: events" || at.done == 0) return;
        value(set(*store.log, "s", {.max_count = 1}));
        gone = store.comes_to(all_events, 2);
    }));
    REQUIRE(gone);
    for (const auto& one : report.findings) UNSCOPED_INFO(one.what);
    CHECK(report.sound());
    CHECK(report.removed == 4999);
    CHECK(report.head == 5001);
}

TEST_CASE("reclaim: a log from before there were rules takes them", "[store][reclaim]") {
    own_log store;
    appended(*store.log, {.stream = "s", .events = events(3)});
    store.log->stop();
    {
        auto db = value(connection::open(
            {.file = store.folder.path() / "events.db", .mode = access::read_write}));
        value(
            db.execute("DROP TABLE stream_rules; DROP TABLE holes; DROP TABLE removed_ids;"
                       "DROP TABLE kept_categories; DROP TRIGGER events_never_go;"
                       "DROP TRIGGER event_tags_never_go;"
                       "CREATE TRIGGER events_never_go BEFORE DELETE ON events"
                       " BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;"
                       "CREATE TRIGGER event_tags_never_go BEFORE DELETE ON event_tags"
                       " BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;"
                       "DELETE FROM migrations WHERE number>2"));
    }
    store.open();
    CHECK(served(*store.log, "s") == list{1, 2, 3});
    value(set(*store.log, "s", {.max_count = 1}));
    CHECK(served(*store.log, "s") == list{3});
    CHECK(store.comes_to(all_events, 1));
}
