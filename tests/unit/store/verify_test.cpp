// verify: what is whole below SQLite and yet not what was promised is found, named, and told apart.
#include "store/verify.hpp"
#include "contract/harness.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_row.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/page_seal.hpp"

#include <fmt/format.h>

#include <fstream>

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;
using store::sqlite::page_bytes;
namespace fs = std::filesystem;

namespace {

class filled_folder {
public:
    filled_folder() : store_{{.url = "sqlite:", .keeps = true}} {
        for (int i = 0; i < 30; ++i) {
            appended(store_.log(), {.stream = fmt::format("s-{}", i % 10),
                                    .events = std::vector<event>(2, event{.tags = {"t"}})});
        }
        const auto made = value(store_.views().create("p", 1, {{"m", {"a"}}}));
        auto change = value(store_.views().begin(made.id, 0));
        for (int i = 0; i < 100; ++i) {
            value(change->put(tenant, "m", std::to_string(i), R"({"a":1})", 1));
        }
        value(change->commit(60));
        change.reset();
        store_.close();
    }
    [[nodiscard]] fs::path data() const { return store_.folder() / "data"; }
    [[nodiscard]] fs::path file(const char* name) const { return data() / name; }
    void change(const char* name, const std::string& sql) const {
        auto db = value(connection::open({.file = file(name), .mode = access::read_write}));
        value(db.execute(sql.c_str()));
        value(db.checkpoint(true));
    }
    /// A record that is whole by its own checksum, and yet not as the log would have written it.
    /// `unique`: the index that would refuse it looks away meanwhile.
    template <class Change>
    void forge(position at, Change change, const std::string& unique = {}) const {
        auto db = value(connection::open({.file = file("events.db"), .mode = access::read_write}));
        value(db.execute("DROP TRIGGER events_never_change"));
        if (!unique.empty()) {
            const auto name = unique.substr(0, unique.find(' '));
            value(db.execute(fmt::format("DROP INDEX {}; CREATE INDEX {}", name, unique).c_str()));
        }
        auto found = value(db.prepare(fmt::format(
            "SELECT {}, (SELECT name FROM tenants WHERE id=e.tenant), "
            "(SELECT name FROM streams WHERE id=e.stream), "
            "(SELECT name FROM types WHERE id=e.type) FROM events e WHERE e.position={}",
            sqlite::event_columns, at)));
        REQUIRE(found.step() == SQLITE_ROW);
        auto row = sqlite::row_of(found);
        const name_hashes names{.tenant = name_hash(found.blob(14)),
                                .stream = name_hash(found.blob(15)),
                                .type = name_hash(found.blob(16))};
        REQUIRE(sqlite::checksum_of(row, names) == row.checksum);
        change(row);
        auto put = value(db.prepare(
            "UPDATE events SET version=?2, recorded_at=?3, id=?4, checksum=?5 WHERE position=?1"));
        put.bind(1, at).bind(2, row.ver).bind(3, row.recorded_at).bind(4, row.id);
        put.bind(5, sqlite::checksum_of(row, names));
        found.reset();
        value(db.run(put, "forge a record"));
        value(
            db.execute("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET "
                       "sql=replace(sql, 'CREATE INDEX events_by_', 'CREATE UNIQUE INDEX "
                       "events_by_') WHERE name IN ('events_by_id', 'events_by_stream')"));
        value(db.checkpoint(true));
    }
    [[nodiscard]] uuid id_at(position at) const {
        auto db = value(connection::open({.file = file("events.db")}));
        auto found = value(db.prepare(fmt::format("SELECT id FROM events WHERE position={}", at)));
        REQUIRE(found.step() == SQLITE_ROW);
        uuid id;
        std::copy_n(found.blob(0).begin(), id.bytes.size(), id.bytes.begin());
        return id;
    }
    [[nodiscard]] verify_report report() const { return value(verify(data(), {})); }
    [[nodiscard]] store_under_test& store() { return store_; }

private:
    store_under_test store_;
};

/// As an early version would have made it: by plain SQLite, table by table.
void copy_without_seals(const fs::path& from, const fs::path& to) {
    sqlite3* plain = nullptr;
    REQUIRE(sqlite3_open(to.c_str(), &plain) == SQLITE_OK);
    const auto run = [&](const std::string& sql) {
        INFO(sql << ": " << sqlite3_errmsg(plain));
        REQUIRE(sqlite3_exec(plain, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    };
    run("ATTACH '" + from.string() + "' AS old");
    run(fmt::format("PRAGMA main.application_id={}", sqlite::event_log_application));
    std::vector<std::pair<std::string, std::string>> made;  // table's name or none, statement
    sqlite3_exec(
        plain,
        "SELECT iif(type='table', name, ''), sql FROM old.sqlite_schema WHERE sql IS NOT NULL "
        "ORDER BY type<>'table', type='trigger'",
        [](void* out, int, char** columns, char**) {
            static_cast<decltype(made)*>(out)->emplace_back(columns[0], columns[1]);
            return 0;
        },
        &made, nullptr);
    for (const auto& [table, sql] : made) {
        run(sql);
        if (!table.empty()) run(fmt::format("INSERT INTO main.{0} SELECT * FROM old.{0}", table));
    }
    sqlite3_close(plain);
}

bool says(const verify_report& report, const std::string& text) {
    return std::any_of(report.findings.begin(), report.findings.end(), [&](const finding& one) {
        return one.what.find(text) != std::string::npos;
    });
}

}  // namespace

TEST_CASE("verify: a folder as it was left is sound, and counted", "[store][verify]") {
    filled_folder folder;
    std::vector<std::string> steps;
    const auto report = value(verify(folder.data(), [&](const verify_progress& now) {
        if (steps.empty() || steps.back() != now.step) steps.emplace_back(now.step);
    }));
    for (const auto& one : report.findings) FAIL(one.what);
    CHECK_FALSE(report.in_use);
    CHECK_FALSE(report.partly);
    CHECK(report.head == 60);
    CHECK(report.events == 60);
    CHECK(report.streams == 10);
    CHECK(report.rows == 100);
    CHECK(report.read_models == 1);
    CHECK(report.unsealed_pages == 0);
    CHECK(report.pages > 20);
    CHECK(steps.size() >= 5);
}

TEST_CASE("verify: a folder that a server has open is looked at as it is", "[store][verify]") {
    filled_folder folder;
    folder.store().reopen();
    appended(folder.store().log(), {.stream = "s-1", .events = events(3)});
    const auto report = folder.report();
    CHECK(report.sound());
    CHECK(report.in_use);
    CHECK(report.events == 63);
}

TEST_CASE("verify: no folder, and a folder of something else, are refused", "[store][verify]") {
    const scratch_folder empty;
    CHECK(code_of(verify(empty.path() / "none", {})) == base_errc::invalid_argument);
    CHECK(code_of(verify(empty.path(), {})) == base_errc::invalid_argument);
}

TEST_CASE("verify: what is missing from the log is named by its position", "[store][verify]") {
    const filled_folder folder;
    SECTION("one event") {
        folder.change("events.db",
                      "DROP TRIGGER events_never_go; DELETE FROM events WHERE position=7");
        const auto report = folder.report();
        CHECK(says(report, "event 7 is missing"));
        CHECK(std::any_of(report.findings.begin(), report.findings.end(),
                          [](const finding& one) { return one.first == 7 && one.last == 7; }));
    }
    SECTION("several") {
        folder.change("events.db",
                      "DROP TRIGGER events_never_go;"
                      "DELETE FROM events WHERE position BETWEEN 20 AND 29");
        CHECK(says(folder.report(), "events 20 to 29 are missing"));
    }
}

TEST_CASE("verify: what is there and not as written is named", "[store][verify]") {
    const filled_folder folder;
    const auto changed = [&](const char* sql) {
        folder.change("events.db", std::string{"DROP TRIGGER events_never_change;"} + sql);
        return folder.report();
    };
    SECTION("data") {
        CHECK(says(changed("UPDATE events SET data='[]' WHERE position=5"),
                   "event 5 is not what was written"));
    }
    SECTION("an id") {
        CHECK(says(
            changed("UPDATE events SET id=x'00112233445566778899aabbccddeeff' WHERE position=9"),
            "event 9 is not what was written"));
    }
    SECTION("a name") {
        CHECK(says(changed("UPDATE types SET name='test.other'"), "is not what was written"));
    }
    SECTION("a category") {
        CHECK(says(changed("UPDATE categories SET name='u'"), "do not fit each other"));
    }
    SECTION("a tag that is not listed") {
        CHECK(says(changed("DROP TRIGGER event_tags_never_go;"
                           "DELETE FROM event_tags WHERE position=11"),
                   "event 11 is not found by its tag t"));
    }
    SECTION("a tag that is listed and not there") {
        CHECK(says(changed("INSERT INTO event_tags VALUES (77, 12)"), "tags are listed"));
    }
    SECTION("a key of nobody") {
        CHECK(says(changed("INSERT INTO idempotency_keys VALUES (1, 99, 'k', x'00', 'a', 1)"),
                   "belong to nothing"));
    }
}

TEST_CASE("verify: records that are whole and do not fit the others are named", "[store][verify]") {
    // Positions 2n+1 and 2n+2 are of s-(n mod 10): s-2 has 5, 6, 25, 26, 45 and 46.
    const filled_folder folder;
    SECTION("a time before the last one") {
        folder.forge(30, [](auto& row) { row.recorded_at -= 3'600'000'000; });
        const auto report = folder.report();
        REQUIRE(report.findings.size() == 1);
        CHECK(report.findings[0].first == 30);
        CHECK(says(report, "event 30 is older than the one before"));
    }
    SECTION("a version that jumps") {
        folder.forge(46, [](auto& row) { row.ver = 9; });
        const auto report = folder.report();
        CHECK(says(report, "event 46 has version 9 in s-2, after version 5"));
        CHECK(says(report, "3 versions of streams are missing and 0 events were removed"));
    }
    SECTION("a version that was there already") {
        folder.forge(
            26, [](auto& row) { row.ver = 2; }, "events_by_stream ON events (stream, version)");
        const auto report = folder.report();
        CHECK(says(report, "event 26 has version 2 in s-2, after version 3"));
        CHECK(says(report, "non-unique entry in index events_by_stream"));
    }
    SECTION("an id that was there already") {
        const auto id = folder.id_at(5);
        folder.forge(46, [&](auto& row) { row.id = id; }, "events_by_id ON events (id, tenant)");
        const auto report = folder.report();
        REQUIRE(report.findings.size() == 1);
        CHECK(says(report, "non-unique entry in index events_by_id"));
    }
}

TEST_CASE("verify: read models that do not fit the log or themselves are named",
          "[store][verify]") {
    const filled_folder folder;
    SECTION("ahead of the log") {
        folder.change("views.db", "UPDATE generations SET checkpoint=61");
        CHECK(says(folder.report(), "stands at 61, and the log ends at 60"));
    }
    SECTION("a row after its checkpoint") {
        folder.change("views.db", "UPDATE rows_1_0 SET position=99 WHERE key='5'");
        CHECK(says(folder.report(), "the row 5 is of event 99"));
    }
    SECTION("a field that is indexed otherwise") {
        folder.change("views.db", "UPDATE rows_1_0 SET f0=2 WHERE key='5'");
        CHECK(says(folder.report(), "the row 5 is indexed with another a"));
    }
    SECTION("a table that is not there") {
        folder.change("views.db", "DROP TABLE rows_1_0");
        CHECK(says(folder.report(), "read model m cannot be read"));
    }
}

TEST_CASE("verify: damage of a file's first page is one finding, and what follows from it is none",
          "[store][verify]") {
    const filled_folder folder;
    const auto write = [&](const char* name, std::streamoff at, const std::string& bytes) {
        std::fstream io{folder.file(name), std::ios::in | std::ios::out | std::ios::binary};
        io.seekp(at);
        io << bytes;
    };
    SECTION("the log's") {
        const auto [at, bytes] = GENERATE(table<std::streamoff, std::string>({
            {40, "XXXX"},                        // the header
            {0, "XXXX"},                         // no database any more
            {1000, "XXXX"},                      // behind the header
            {0, std::string(page_bytes, 'X')},   // the whole page
            {0, std::string(page_bytes, '\0')},  // it never was written, it seems
        }));
        write("events.db", at, bytes);
        const auto report = folder.report();
        for (const auto& one : report.findings) UNSCOPED_INFO(one.file << ": " << one.what);
        REQUIRE(report.findings.size() == 1);
        CHECK(report.findings[0].file == "events.db");
        CHECK(report.findings[0].page == 1);
        CHECK(says(report, "the beginning of the file"));
        CHECK(report.findings[0].remedy.find("no server can read its events") != std::string::npos);
        CHECK_FALSE(report.log_read);
        CHECK(report.partly);
        CHECK(report.rows == 100);  // the read models are looked at all the same
    }
    SECTION("the read models'") {
        write("views.db", 40, "XXXX");
        const auto report = folder.report();
        REQUIRE(report.findings.size() == 1);
        CHECK(report.findings[0].file == "views.db");
        CHECK(report.log_read);
    }
    SECTION("another page that all of the log needs") {
        write("events.db", page_bytes + 1000, "XXXX");  // of the schema
        const auto report = folder.report();
        for (const auto& one : report.findings) UNSCOPED_INFO(one.file << ": " << one.what);
        CHECK(report.findings.size() == 1);
        CHECK(report.findings.at(0).page == 2);
    }
}

TEST_CASE("verify: a page in another's place is found, and not served", "[store][verify]") {
    filled_folder folder;
    const auto file = folder.file("events.db");
    std::string whole(fs::file_size(file), '\0');
    std::ifstream{file, std::ios::binary}.read(whole.data(),
                                               static_cast<std::streamsize>(whole.size()));
    // The last page that carries events, where the one before it belongs.
    std::swap_ranges(whole.begin() + page_bytes * 3, whole.begin() + page_bytes * 4,
                     whole.begin() + page_bytes * 5);
    std::ofstream{file, std::ios::binary} << whole;
    const auto report = folder.report();
    for (const std::uint64_t page : {4, 6}) {
        CHECK(std::any_of(report.findings.begin(), report.findings.end(),
                          [&](const finding& one) { return one.page == page; }));
    }
}

TEST_CASE("verify: databases without seals are used as before, and reported", "[store][verify]") {
    filled_folder folder;
    const auto file = folder.file("events.db");
    const auto copy = folder.file("copy.db");
    copy_without_seals(file, copy);
    const bool sealed_again = GENERATE(false, true);
    if (sealed_again) {
        const auto again = folder.file("again.db");
        auto db = value(connection::open({.file = copy, .mode = access::read_write}));
        value(db.execute(("VACUUM INTO '" + again.string() + "'").c_str()));
        fs::rename(again, copy);
    }
    for (const char* part : {"copy.db-wal", "copy.db-shm", "events.db-wal", "events.db-shm"}) {
        fs::remove(folder.file(part));
    }
    fs::rename(copy, file);
    folder.store().reopen();
    CHECK(folder.store().log().head() == 60);
    CHECK(appended(folder.store().log(), {.stream = "s-1"}).pos == 61);
    folder.store().close();
    const auto report = folder.report();
    for (const auto& one : report.findings) FAIL(one.what);
    CHECK(report.events == 61);
    CHECK((report.unsealed_pages == 0) == sealed_again);
}
