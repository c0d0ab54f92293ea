// verify over a schema in PostgreSQL: what is whole is counted, what was changed behind the
// servers' backs is named once, and never served.
#include "store/verify.hpp"
#include "unit/store/postgres_server.hpp"

#include <fmt/format.h>

using namespace postgres_test;
using flexcore::test::postgres_schema;

namespace {

/// A schema that was served from: 60 events in 10 streams, a read model, a snapshot.
class filled_schema {
public:
    filled_schema() : server_{std::in_place, schema_, "filled"} {
        for (int i = 0; i < 30; ++i) {
            appended(server_->log(),
                     {.appends = {{.stream = fmt::format("s-{}", i % 10),
                                   .events = std::vector<event>(2, event{.tags = {"t"}})}},
                      .keys = {{.name = fmt::format("k{}", i)}}});
        }
        auto& views = *server_->store->views;
        const auto made = value(views.create("p", 1, {{"m", {"a"}}}));
        auto change = value(views.begin(made.id, 0));
        for (int i = 0; i < 100; ++i) {
            value(change->put(tenant, "m", std::to_string(i), R"({"a":1})", 1));
        }
        value(change->commit(60));
        change.reset();
        server_->store->snapshots->put(tenant, "s-1", 1, {.ver = 2, .event_id = {}, .state = "x"});
        settings_ = server_->settings;
    }
    /// As the owner of the tables may, when he means to.
    void change(const std::string& sql) {
        schema_.ask(
            "ALTER TABLE events DISABLE TRIGGER USER; ALTER TABLE event_tags DISABLE TRIGGER"
            " USER; ALTER TABLE streams DISABLE TRIGGER USER; ALTER TABLE holes DISABLE"
            " TRIGGER USER; ALTER TABLE stream_rules DISABLE TRIGGER USER");
        schema_.ask(sql);
        schema_.ask(
            "ALTER TABLE events ENABLE TRIGGER USER; ALTER TABLE event_tags ENABLE TRIGGER"
            " USER; ALTER TABLE streams ENABLE TRIGGER USER; ALTER TABLE holes ENABLE"
            " TRIGGER USER; ALTER TABLE stream_rules ENABLE TRIGGER USER");
    }
    void close() { server_.reset(); }
    [[nodiscard]] shared_server& server() { return *server_; }
    [[nodiscard]] store_settings& settings() { return settings_; }
    [[nodiscard]] const postgres_schema& schema() const { return schema_; }
    [[nodiscard]] verify_report report() const { return value(verify(settings_, {})); }

private:
    postgres_schema schema_;
    std::optional<shared_server> server_;
    store_settings settings_;
};

std::string all_of(const verify_report& report) {
    std::string text;
    for (const auto& one : report.findings) text += one.file + ": " + one.what + '\n';
    return text;
}

}  // namespace

TEST_CASE("verify in PostgreSQL: a schema is sound beside its servers and without, and counted",
          "[postgres]") {
    filled_schema filled;
    std::vector<std::string> steps;
    const auto tell = [&](const verify_progress& now) {
        if (steps.empty() || steps.back() != now.step) steps.emplace_back(now.step);
    };
    const auto report = value(verify(filled.settings(), tell));
    CHECK(all_of(report).empty());
    CHECK(report.sound());
    CHECK(report.database);
    CHECK_FALSE(report.partly);
    CHECK(report.log_read);
    CHECK(report.place.ends_with(", schema " + filled.schema().name()));
    CHECK(report.head == 60);
    CHECK(report.events == 60);
    CHECK(report.streams == 10);
    CHECK(report.keys == 30);
    CHECK(report.read_models == 1);
    CHECK(report.rows == 100);
    CHECK(report.snapshots == 1);
    CHECK(steps.size() >= 4);
    filled.close();
    CHECK(filled.report().sound());
}

TEST_CASE("verify in PostgreSQL: more events and rows than a page takes, large ones among them",
          "[postgres]") {
    filled_schema filled;
    auto& log = filled.server().log();
    for (int i = 0; i < 5; ++i) appended(log, {.stream = "many", .events = events(1'000)});
    const std::string large = '"' + std::string(900'000, 'x') + '"';
    for (int i = 0; i < 25; ++i)
        appended(log, {.stream = "large", .events = {event{.data = large}}});
    auto& views = *filled.server().store->views;
    const auto made = value(views.create("q", 1, {{"n", {"a"}}}));
    auto change = value(views.begin(made.id, 0));
    for (int i = 0; i < 5'000; ++i)
        value(change->put(tenant, "n", std::to_string(i), R"({"a":"text"})", 1));
    value(change->commit(60));
    change.reset();
    const auto report = filled.report();
    CHECK(all_of(report).empty());
    CHECK(report.events == 60 + 5'000 + 25);
    CHECK(report.rows == 5'100);
}

TEST_CASE("verify in PostgreSQL: what retention and deletion removed is not missing",
          "[postgres]") {
    filled_schema filled;
    auto& log = filled.server().log();
    for (int i = 0; i < 3; ++i) {
        const std::string name = fmt::format("s-{}", i);
        auto built = build({});
        built.change = stream_change{
            .stream = name,
            .what = i == 0 ? stream_change::kind::settings : stream_change::kind::soft_delete,
            .expected = {},
            .settings = {.max_count = 2}};
        std::promise<result<append_outcome>> done;
        log.append(std::move(built),
                   [&](result<append_outcome> answer) { done.set_value(std::move(answer)); });
        value(done.get_future().get());
    }
    const auto gone = [&] {
        return filled.schema().ask("SELECT count(*) FROM events").at(0).at(0);
    };
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    // The reclaimer goes by itself; each commit gives it a turn.
    while (gone() != "44" && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    CHECK(gone() == "44");
    const auto report = filled.report();
    CHECK(all_of(report).empty());
    CHECK(report.removed == 16);
    CHECK(report.events == 44);
}

TEST_CASE("verify in PostgreSQL: each damage is named, once", "[postgres]") {
    struct damage {
        const char* sql;
        const char* table;
        const char* what;
    };
    const auto [sql, table, what] = GENERATE(
        damage{"UPDATE events SET data = '[]' WHERE position = 5", "events",
               "event 5 is not what was written"},
        damage{"UPDATE events SET metadata = '{\"a\":1}' WHERE position = 5", "events",
               "event 5 is not what was written"},
        damage{"UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 5", "events",
               "event 5 is not what was written"},
        damage{"UPDATE events SET type = (SELECT id FROM names WHERE kind = 4) WHERE position = 5",
               "events", "event 5 belongs to names that are gone"},
        damage{"DELETE FROM events WHERE position = 60; DELETE FROM event_tags WHERE position = 60",
               "events", "event 60 is missing and was not removed"},
        damage{"DELETE FROM event_tags WHERE position = 7", "event_tags",
               "event 7 is not found by its tag t"},
        damage{"INSERT INTO event_tags SELECT tag, 1000 FROM event_tags LIMIT 1", "event_tags",
               "tags are listed for 1 events that do not have them"},
        damage{"INSERT INTO holes VALUES (5, 5, 'test', 0)", "events",
               "event 5 is there and recorded as removed"},
        damage{"UPDATE log_head SET position = 58", "log_head",
               "the log's head is at 58, and there are events up to 60"},
        damage{"UPDATE log_head SET last_id = 3", "log_head",
               "ids of names or streams are given out that are in use already"},
        damage{"UPDATE idempotency_keys SET tenant = 999 WHERE key = 'k1'", "idempotency_keys",
               "1 idempotency keys belong to no tenant"},
        damage{"INSERT INTO stream_rules VALUES (999, 1, 0, 0, 0, 0, 0, 0)", "stream_rules",
               "1 rules of streams are not what a server writes"},
        damage{"INSERT INTO removed_ids SELECT 5, tenant, id, 1, 0, 0, 0,"
               " '00000000-0000-0000-0000-000000000009' FROM streams LIMIT 1",
               "removed_ids",
               "1 ids are kept as those of removed events, and no hole is recorded there"},
        damage{"UPDATE rows_1_0 SET row = '[' WHERE key = '7'", "rows_1_0",
               "read model m: the row 7 is no JSON object"},
        damage{"UPDATE rows_1_0 SET row = '{\"a\":2}' WHERE key = '7'", "rows_1_0",
               "read model m: the row 7 is indexed with another a"},
        damage{"UPDATE rows_1_0 SET position = 61 WHERE key = '7'", "rows_1_0",
               "read model m: the row 7 is of event 61, after the checkpoint 60"},
        damage{"DROP TABLE rows_1_0", "rows_1_0", "read model m cannot be read"},
        damage{"UPDATE generations SET checkpoint = 61", "generations",
               "projection p stands at 61, and the log ends at 60"},
        damage{"UPDATE catalogue SET last_generation = 0", "catalogue",
               "numbers of read models are given out that are in use already"},
        damage{"UPDATE snapshots SET state = 'y'", "snapshots",
               "the snapshot of s-1 is not what was written"},
        damage{"DROP INDEX events_by_id", "events_by_id",
               "the index events_by_id is missing or not valid"},
        damage{"DROP TABLE snapshots", "snapshots", "the table snapshots is missing"},
        damage{"DROP TRIGGER events_never_go ON events", "events_never_go",
               "the trigger events_never_go is missing or switched off"});
    filled_schema filled;
    filled.change(sql);
    const auto report = filled.report();
    INFO(sql << "\n" << all_of(report));
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].file == table);
    CHECK(report.findings[0].what.contains(what));
    CHECK_FALSE(report.findings[0].remedy.empty());
}

TEST_CASE("verify in PostgreSQL: what is missing is named as ranges, lost versions are counted",
          "[postgres]") {
    filled_schema filled;
    filled.change(
        "DELETE FROM events WHERE position BETWEEN 10 AND 19 OR position = 41;"
        "DELETE FROM event_tags WHERE position BETWEEN 10 AND 19 OR position = 41");
    const auto report = filled.report();
    const auto text = all_of(report);
    INFO(text);
    CHECK(text.contains("events 10 to 19 are missing and were not removed"));
    CHECK(text.contains("event 41 is missing and was not removed"));
    CHECK(text.contains("in s-0, after version 4 at 22"));
    CHECK(report.events == 49);
}

TEST_CASE("verify in PostgreSQL: the log's own head missing, and names changed", "[postgres]") {
    filled_schema filled;
    SECTION("the head") {
        filled.change("DELETE FROM log_head");
        const auto report = filled.report();
        INFO(all_of(report));
        CHECK(all_of(report).contains("the log's head is missing"));
        CHECK(report.events == 60);
    }
    SECTION("a stream's name: each of its events says so") {
        filled.change("UPDATE streams SET name = 's-x' WHERE name = 's-1'");
        const auto report = filled.report();
        INFO(all_of(report));
        CHECK(report.findings.size() == 6);
        CHECK(all_of(report).contains("event 3 is not what was written"));
    }
    SECTION("a stream's category") {
        filled.change("UPDATE streams SET category = 999 WHERE name = 's-1'");
        const auto report = filled.report();
        INFO(all_of(report));
        CHECK(all_of(report).contains("the stream s-1 belongs to names that do not fit it"));
    }
}

TEST_CASE("verify in PostgreSQL: no schema and no database are said, and are no damage",
          "[postgres]") {
    filled_schema filled;
    auto settings = filled.settings();
    settings.schema = "nothing_here";
    CHECK(code_of(verify(settings, {})) == base_errc::invalid_argument);
    settings.url = "postgresql://flex:very-secret@127.0.0.1:1/shop";
    const auto refused = verify(settings, {});
    CHECK(code_of(refused) == store_errc::unavailable);
    CHECK(refused.error().client.contains("127.0.0.1:1/shop cannot be reached: "));
    CHECK_FALSE(refused.error().client.contains("very-secret"));
    filled.schema().ask("INSERT INTO migrations VALUES (99, '0099_later.sql', 'x', 0)");
    CHECK(code_of(verify(filled.settings(), {})) == store_errc::newer_schema);
}

TEST_CASE("damage in PostgreSQL: an event that was changed is never served, by no way of reading",
          "[postgres]") {
    filled_schema filled;
    auto& log = filled.server().log();
    const auto page = value(log.read_log({}, 4, 1, direction::forward));
    const uuid id = page.batch->events.at(0).id;
    const std::string stream{page.batch->events.at(0).stream};
    const auto column = GENERATE(
        "data = '{\"a\":1}'", "metadata = '{\"a\":1}'", "place = 3", "schema_version = 2",
        "recorded_at = recorded_at - 1", "checksum = checksum + 1", "tags = 'u' || chr(10)",
        "id = '00000000-0000-0000-0000-000000000001'", "version = 77", "category = category + 1");
    filled.change(fmt::format("UPDATE events SET {} WHERE position = 5", column));
    INFO(column);
    const auto damaged = code_of(log.read_log({}, 4, 10, direction::forward));
    CHECK(damaged == store_errc::corrupt);
    CHECK(code_of(log.read_log({.tenant = tenant}, 6, 10, direction::backward)) ==
          store_errc::corrupt);
    CHECK(code_of(log.read_stream(tenant, stream, 1, 100, direction::forward)) ==
          store_errc::corrupt);
    CHECK(code_of(log.read_history(tenant, stream, 1, 100)) == store_errc::corrupt);
    const auto by_id = log.read_event(tenant, id);
    CHECK_FALSE(by_id);
    // The others are.
    CHECK(value(log.read_log({}, 5, 1'000, direction::forward)).batch->events.size() == 55);
    CHECK(all_of(filled.report()).contains("event 5 is not what was written"));
}
