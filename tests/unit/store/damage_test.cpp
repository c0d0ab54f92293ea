// Damaged files: found, named, and never served.
#include "contract/harness.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/view_damage.hpp"

#include <fstream>

using namespace contract;
using store::sqlite::access;
using store::sqlite::connection;

namespace {

class closed_store {
public:
    closed_store() : store_{{.url = "sqlite:", .keeps = true}} {
        for (int i = 0; i < 50; ++i) {
            appended(store_.log(), {.stream = "s-" + std::to_string(i),
                                    .events = std::vector<event>(
                                        4, event{.tags = {"t"}, .data = "\"payload-text\""})});
        }
        const auto made = value(store_.views().create("p", 1, {{"m", {"a"}}}));
        auto change = value(store_.views().begin(made.id, 0));
        for (int i = 0; i < 100; ++i) {
            value(change->put(tenant, "m", std::to_string(i), R"({"a":1})", 1));
        }
        value(change->commit(1));
        change.reset();
        store_.close();
    }
    [[nodiscard]] std::filesystem::path file(const char* name) const {
        return store_.folder() / "data" / name;
    }
    /// What the registry says of the store.
    [[nodiscard]] telemetry::health health() const {
        for (const auto& one : health_.all()) {
            if (one.name == "store") return one.report.state;
        }
        return telemetry::health::unhealthy;
    }
    [[nodiscard]] result<opened_store> open() {
        store_settings settings;
        settings.data = store_.folder() / "data";
        return open_store(settings, metrics_, health_);
    }

private:
    store_under_test store_;
    telemetry::metrics metrics_;
    telemetry::health_registry health_;
};

std::string contents(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}
void replace(const std::filesystem::path& file, const std::string& with) {
    std::ofstream{file, std::ios::binary | std::ios::trunc} << with;
}

}  // namespace

TEST_CASE("damage: a log that is no database, or cut short, is refused and named",
          "[store][damage]") {
    closed_store store;
    const auto file = store.file("events.db");
    const auto whole = contents(file);
    REQUIRE(whole.size() > 8 * 4096);
    SECTION("garbage") { replace(file, std::string(50'000, 'x')); }
    SECTION("cut in the middle") { replace(file, whole.substr(0, whole.size() / 2)); }
    SECTION("cut by one page") { replace(file, whole.substr(0, whole.size() - 4096)); }
    SECTION("the first page overwritten") {
        replace(file, std::string(4096, '\x5a') + whole.substr(4096));
    }
    const auto refused = store.open();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::corrupt);
    CHECK(refused.error().client.find("events.db") != std::string::npos);
}

TEST_CASE("damage: a record that is not what was written is never served", "[store][damage]") {
    closed_store store;
    {
        auto db =
            value(connection::open({.file = store.file("events.db"), .mode = access::read_write}));
        value(db.execute("DROP TRIGGER events_never_change"));
        const std::string change =
            GENERATE("data='\"payload-tex7\"'", "metadata='{\"a\":1}'", "tags=x'0178'",
                     "version=1000", "schema_version=9", "recorded_at=1", "type=type+0, place=3",
                     "id=x'00112233445566778899aabbccddeeff'", "tags=x'ff78'",
                     "stream=stream+1, version=1000");
        INFO(change);
        CAPTURE(change);
        value(db.execute(("UPDATE events SET " + change + " WHERE position=7").c_str()));
    }
    auto opened = value(store.open());
    const auto corrupt = make_error_code(store_errc::corrupt);
    CHECK(store.health() == telemetry::health::healthy);
    const auto page = opened.log->read_log({}, 0, 100, direction::forward);
    REQUIRE_FALSE(page);
    CHECK(page.error().code == corrupt);
    CHECK(store.health() == telemetry::health::degraded);  // found once, known until the end
    CHECK(page.error().client.find("position 7") != std::string::npos);
    CHECK(opened.log->read_log({}, 7, 100, direction::forward));
    CHECK(value(opened.log->read_stream(tenant, "s-40", 0, 10, direction::forward))
              .batch->events.size() == 4);
    opened.log->stop();
}

TEST_CASE("damage: changed names are found by the records that use them", "[store][damage]") {
    closed_store store;
    {
        auto db =
            value(connection::open({.file = store.file("events.db"), .mode = access::read_write}));
        value(db.execute("UPDATE types SET name='test.other'"));
    }
    const auto refused = store.open();  // reads the last record back
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::corrupt);
}

TEST_CASE("damage: read models that cannot be read are moved aside and begun anew",
          "[store][damage]") {
    closed_store store;
    const auto file = store.file("views.db");
    const auto whole = contents(file);
    SECTION("garbage") { replace(file, std::string(50'000, 'x')); }
    SECTION("cut short") { replace(file, whole.substr(0, whole.size() - 4096)); }
    SECTION("a database of something else") {
        std::filesystem::remove(file);
        auto db = value(connection::open({.file = file, .mode = access::read_write}));
        value(db.execute("CREATE TABLE users (name)"));
    }
    auto opened = value(store.open());
    CHECK(value(opened.views->generations()).empty());
    CHECK(opened.log->head() == 200);
    int aside = 0;
    for (const auto& entry : std::filesystem::directory_iterator{file.parent_path()}) {
        if (entry.path().filename().string().starts_with("views.db.damaged-")) ++aside;
    }
    CHECK(aside >= 1);
    CHECK(opened.views->create("p", 1, {{"m", {}}}));
}

TEST_CASE("damage: rows of read models that cannot be read are found at the start, and made again",
          "[store][damage]") {
    closed_store store;
    const auto file = store.file("views.db");
    const auto root_of = [&](const std::string& name) {
        auto db = value(connection::open({.file = file}));
        const auto sql = "SELECT rootpage FROM sqlite_schema WHERE name='" + name + "'";
        return std::size_t(value(db.integer(sql)));
    };
    const auto overwrite = [&](const std::string& name) {
        const auto page = root_of(name);
        REQUIRE(page > 1);
        auto whole = contents(file);
        whole.replace((page - 1) * 4096, 4096, std::string(4096, '\x5a'));
        replace(file, whole);
    };
    SECTION("the table") { overwrite("rows_1_0"); }
    SECTION("its index by field") { overwrite("rows_1_0_f0"); }
    SECTION("its index by key") { overwrite("sqlite_autoindex_rows_1_0_1"); }
    SECTION("a table that is not there") {
        auto db = value(connection::open({.file = file, .mode = access::read_write}));
        value(db.execute("DROP TABLE rows_1_0"));
    }
    auto opened = value(store.open());
    CHECK(value(opened.views->generations()).empty());
    CHECK(opened.log->head() == 200);
}

TEST_CASE("damage: what was met in use is made again at the next start, once", "[store][damage]") {
    closed_store store;
    store::sqlite::note_damage(store.file("views.db"),
                               {store_errc::corrupt, "views.db is damaged", "a page"});
    {
        auto opened = value(store.open());
        CHECK(value(opened.views->generations()).empty());
        value(opened.views->create("p", 1, {{"m", {}}}));
        opened.log->stop();
        opened.views->stop();
    }
    auto again = value(store.open());
    CHECK(value(again.views->generations()).size() == 1);
}

TEST_CASE("damage: the memory of an unfinished write is forgotten, not the log",
          "[store][damage]") {
    closed_store store;
    const auto wal = store.file("events.db-wal");
    replace(wal, std::string(100'000, 'w'));
    auto opened = value(store.open());
    CHECK(opened.log->head() == 200);
    CHECK(append(*opened.log, {.stream = "s-1", .expected = at(4)}));
}

TEST_CASE("damage: a log that ends before what read models have seen is not served",
          "[store][damage]") {
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    appended(store.log(), {.stream = "s", .events = events(60)});
    const auto made = value(store.views().create("p", 1, {{"m", {"a"}}}));
    value(value(store.views().begin(made.id, 0))->commit(60));
    store.close();
    const auto data = store.folder() / "data";
    const auto lose = [&](const char* name) {
        for (const char* end : {"", "-wal", "-shm"})
            std::filesystem::remove(data / (std::string{name} + end));
    };
    lose("events.db");
    telemetry::metrics metrics;
    telemetry::health_registry health;
    const store_settings settings{.url = "sqlite:", .data = data};
    const auto refused = open_store(settings, metrics, health);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::corrupt);
    CHECK(refused.error().client.find("the log ends at position 0, and projection p has seen 60") !=
          std::string::npos);
    lose("views.db");
    CHECK(open_store(settings, metrics, health));
}
