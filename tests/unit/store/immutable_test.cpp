// No statement changes or deletes an event.
#include "contract/harness.hpp"
#include "store/sqlite/connection.hpp"

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;

TEST_CASE("immutable: every statement that would change an event is refused",
          "[store][immutable]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    appended(store.log(), {.stream = "s", .events = {{.tags = {"t"}}, {}}});
    auto db = value(connection::open(
        {.file = store.folder() / "data" / "events.db", .mode = access::read_write}));
    for (const auto* sql :
         {"UPDATE events SET data='\"changed\"'", "UPDATE events SET version=9 WHERE position=1",
          "DELETE FROM events", "DELETE FROM events WHERE position=2",
          "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position=1",
          "REPLACE INTO events SELECT * FROM events", "UPDATE event_tags SET position=2",
          "DELETE FROM event_tags", "UPDATE streams SET name='x'", "DELETE FROM streams"}) {
        const auto refused = db.execute(sql);
        INFO(sql);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().log.find("immutable") != std::string::npos);
    }
    const auto page = value(store.log().read_stream(tenant, "s", 0, 10, direction::forward));
    CHECK(page.batch->events.size() == 2);
    CHECK(page.batch->events.at(0).data == "{}");
}

TEST_CASE("immutable: the unique indexes stand behind the writer's checks", "[store][immutable]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    appended(store.log(), {.stream = "s", .events = events(2)});
    auto db = value(connection::open(
        {.file = store.folder() / "data" / "events.db", .mode = access::read_write}));
    // The same stream and version, then the same id, at a new position.
    CHECK_FALSE(db.execute(
        "INSERT INTO events SELECT 9, stream, version, type, category, tenant, schema_version, "
        "place, recorded_at, checksum, x'00112233445566778899aabbccddeeff', tags, metadata, data "
        "FROM events WHERE position=1"));
    CHECK_FALSE(db.execute(
        "INSERT INTO events SELECT 9, stream, 77, type, category, tenant, schema_version, place, "
        "recorded_at, checksum, id, tags, metadata, data FROM events WHERE position=1"));
}

TEST_CASE("immutable: an event goes only when its hole was recorded before", "[store][immutable]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    appended(store.log(), {.stream = "s", .events = {{.tags = {"t"}}, {.tags = {"t"}}, {}}});
    auto db = value(connection::open(
        {.file = store.folder() / "data" / "events.db", .mode = access::read_write}));
    value(db.execute("INSERT INTO holes VALUES (1, 1, 'retention', 0, 0)"));
    value(db.execute("DELETE FROM event_tags WHERE position=1"));
    value(db.execute("DELETE FROM events WHERE position=1"));
    value(db.execute("INSERT INTO holes VALUES (3, 3, 'retention', 0, 0)"));
    for (const auto* sql :
         {"DELETE FROM events WHERE position=2", "DELETE FROM event_tags WHERE position=2",
          "DELETE FROM holes", "UPDATE holes SET last=2 WHERE first=3",
          "UPDATE holes SET first=2 WHERE first=3"}) {
        INFO(sql);
        CHECK_FALSE(db.execute(sql));
    }
    value(db.execute("UPDATE holes SET last=3 WHERE first=1"));
    value(db.execute("DELETE FROM holes WHERE first=3"));
    value(db.execute("INSERT INTO stream_rules VALUES (1, 1, 0, 0, 0, 2, 3, 0)"));
    for (const auto* sql :
         {"UPDATE stream_rules SET deleted=0", "UPDATE stream_rules SET deleted=1",
          "UPDATE stream_rules SET deleted_to=2", "DELETE FROM stream_rules"}) {
        INFO(sql);
        CHECK_FALSE(db.execute(sql));
    }
}
