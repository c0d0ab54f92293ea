// Bringing a database to this program's schema, or refusing it.
#include "store/sqlite/migrations.hpp"
#include "contract/harness.hpp"

using namespace contract;
using store::embedded_file;
using store::sqlite::access;
using store::sqlite::connection;
using store::sqlite::migrate;

namespace {

constexpr std::uint32_t application = 77;

connection open_file(const std::filesystem::path& file) {
    return value(connection::open({.file = file, .mode = access::read_write}));
}

const std::vector<embedded_file> two{
    {"0001_first.sql", "CREATE TABLE a (x); INSERT INTO a VALUES (1);"},
    {"0002_second.sql", "INSERT INTO a SELECT x + 1 FROM a;"}};

std::int64_t number(connection& db, const char* sql) { return value(db.integer(sql)); }

}  // namespace

TEST_CASE("migrations: applied in order, each once", "[store][migrations]") {
    scratch_folder folder;
    const auto file = folder.path() / "x.db";
    {
        auto db = open_file(file);
        value(migrate(db, {two[0]}, application));
        CHECK(number(db, "SELECT sum(x) FROM a") == 1);
        value(migrate(db, two, application));
        CHECK(number(db, "SELECT sum(x) FROM a") == 3);
    }
    auto db = open_file(file);
    value(migrate(db, two, application));
    CHECK(number(db, "SELECT sum(x) FROM a") == 3);
    CHECK(number(db, "SELECT count(*) FROM migrations") == 2);
}

TEST_CASE("migrations: one that fails leaves nothing of itself", "[store][migrations]") {
    scratch_folder folder;
    auto db = open_file(folder.path() / "x.db");
    const embedded_file broken{"0002_broken.sql",
                               "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);"};
    CHECK_FALSE(migrate(db, {two[0], broken}, application));
    CHECK(number(db, "SELECT count(*) FROM migrations") == 1);
    CHECK(number(db, "SELECT count(*) FROM sqlite_schema WHERE name='b'") == 0);
    value(migrate(db, two, application));
    CHECK(number(db, "SELECT sum(x) FROM a") == 3);
}

TEST_CASE("migrations: a newer database is refused, and named", "[store][migrations]") {
    scratch_folder folder;
    auto db = open_file(folder.path() / "x.db");
    value(migrate(db, two, application));
    const auto refused = migrate(db, {two[0]}, application);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::newer_schema);
    CHECK(refused.error().client.find("0002_second.sql") != std::string::npos);
    CHECK(refused.error().client.find("x.db") != std::string::npos);
}

TEST_CASE("migrations: a changed file is refused", "[store][migrations]") {
    scratch_folder folder;
    auto db = open_file(folder.path() / "x.db");
    value(migrate(db, two, application));
    const embedded_file changed{"0001_first.sql", "CREATE TABLE a (x, y);"};
    CHECK(code_of(migrate(db, {changed, two[1]}, application)) ==
          make_error_code(store_errc::newer_schema));
    CHECK(code_of(migrate(db, {two[1]}, application)) == make_error_code(store_errc::newer_schema));
}

TEST_CASE("migrations: a database of something else is left alone", "[store][migrations]") {
    scratch_folder folder;
    auto db = open_file(folder.path() / "x.db");
    SECTION("with tables and no kind") {
        value(db.execute("CREATE TABLE users (name)"));
        CHECK(code_of(migrate(db, two, application)) == make_error_code(store_errc::corrupt));
    }
    SECTION("of another kind") {
        value(migrate(db, two, application));
        CHECK(code_of(migrate(db, two, application + 1)) == make_error_code(store_errc::corrupt));
    }
}

TEST_CASE("migrations: the embedded ones are numbered in order", "[store][migrations]") {
    for (const auto* files : {&store::sqlite::event_migrations(), &store::sqlite::view_migrations(),
                              &store::sqlite::snapshot_migrations()}) {
        REQUIRE_FALSE(files->empty());
        for (std::size_t i = 0; i < files->size(); ++i) {
            CHECK(std::stoul(std::string{(*files)[i].name.substr(0, 4)}) == i + 1);
        }
    }
}

TEST_CASE("migrations: the server refuses a newer store", "[store][migrations]") {
    const std::string name = GENERATE("events.db", "views.db", "snapshots.db");
    store_under_test store{{.url = "sqlite:", .keeps = true}};
    const auto file = store.folder() / "data" / name;
    store.close();
    {
        auto db = open_file(file);
        value(db.execute("INSERT INTO migrations VALUES (9999, '9999_future.sql', 'x', 0)"));
    }
    telemetry::metrics metrics;
    telemetry::health_registry health;
    store_settings settings;
    settings.data = store.folder() / "data";
    const auto refused = open_store(settings, metrics, health);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::newer_schema);
    CHECK(refused.error().client.find(name) != std::string::npos);
    {
        auto db = open_file(file);
        value(db.execute("DELETE FROM migrations WHERE number=9999"));
    }
    store.reopen();
}
