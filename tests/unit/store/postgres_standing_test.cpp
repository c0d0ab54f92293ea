// What a data folder remembers of the database, and how servers start on it.
#include "unit/store/postgres_server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fstream>
#include <sstream>
#include <thread>

using namespace postgres_test;
using flexcore::test::postgres_schema;

namespace {

/// A schema that was served from a data folder until position 3.
struct served_before {
    postgres_schema schema;
    scratch_folder folder;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    store_settings settings;

    served_before() {
        settings.url = schema.url();
        settings.schema = schema.name();
        settings.data = folder.path() / "data";
        auto opened = value(open_store(settings, metrics, health));
        appended(*opened.log, {.stream = "s", .events = events(3)});
        stop(opened);
    }
    static void stop(opened_store& opened) {
        opened.log->stop();
        opened.views->stop();
        opened.snapshots->stop();
    }
    [[nodiscard]] std::filesystem::path file() const { return settings.data / "postgres.json"; }
    [[nodiscard]] boost::json::object kept() const {
        std::ostringstream text;
        text << std::ifstream{file()}.rdbuf();
        return boost::json::parse(text.str()).as_object();
    }
    void keep(const boost::json::object& what) const {
        std::ofstream{file()} << boost::json::serialize(what);
    }
    /// What opening it again says: empty when it opens.
    [[nodiscard]] std::string refusal() {
        auto opened = open_store(settings, metrics, health);
        if (!opened) return opened.error().client;
        stop(*opened);
        return {};
    }
};

}  // namespace

TEST_CASE("standing: how far it was served is kept in the data folder", "[postgres]") {
    served_before before;
    CHECK(before.kept().at("position") == 3);
    CHECK(before.kept().at("changes") ==
          std::stoi(before.schema.ask("SELECT changes FROM log_head").at(0).at(0)));
    CHECK(before.kept().at("timeline") == 1);
    CHECK(before.refusal().empty());
}

TEST_CASE("standing: what was acknowledged is written down before it is told", "[postgres]") {
    served_before before;
    {
        auto opened = value(open_store(before.settings, before.metrics, before.health));
        for (position last = 4; last <= 6; ++last) {
            appended(*opened.log, {.stream = "s"});
            CHECK(before.kept().at("position") == last);
        }
        served_before::stop(opened);
    }
    CHECK(before.refusal().empty());
}

TEST_CASE("standing: a database that is older than what was served is refused", "[postgres]") {
    served_before before;
    auto kept = before.kept();
    std::string named;
    SECTION("another cluster") {
        kept["system"] = "1";
        named = "another cluster";
    }
    SECTION("an old primary") {
        kept["timeline"] = 2;
        named = "timeline 1";
    }
    SECTION("an old backup") {
        kept["position"] = 4;
        named = "ends at position 3, and 4 was acknowledged";
    }
    SECTION("an old backup that lacks only a deletion") {
        kept["changes"] = kept.at("changes").as_int64() + 1;
        named = "changes are missing";
    }
    before.keep(kept);
    const auto refusal = before.refusal();
    INFO(refusal);
    CHECK(refusal.contains(named));
    CHECK((refusal.contains(before.file().string()) || kept.at("timeline") == 2));
    std::filesystem::remove(before.file());
    CHECK(before.refusal().empty());
}

TEST_CASE("standing: a file that is not what was written is refused, and named", "[postgres]") {
    served_before before;
    const std::string text = GENERATE("", "{", "[]", R"({"system":1,"timeline":1,"position":1})");
    std::ofstream{before.file(), std::ios::trunc} << text;
    CHECK(before.refusal().contains(before.file().string()));
}

TEST_CASE("standing: a data folder is one server's, for PostgreSQL too", "[postgres]") {
    served_before before;
    auto first = value(open_store(before.settings, before.metrics, before.health));
    telemetry::health_registry other;
    const auto second = open_store(before.settings, before.metrics, other);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == store_errc::locked);
    served_before::stop(first);
}

TEST_CASE("standing: ten servers that start together apply each migration once", "[postgres]") {
    const postgres_schema schema;
    std::atomic<int> opened{0};
    {
        std::vector<std::jthread> all;
        for (int i = 0; i < 10; ++i) {
            all.emplace_back([&, i] {
                shared_server one{schema, "start" + std::to_string(i)};
                appended(one.log(), {.stream = "s"});
                ++opened;
            });
        }
    }
    CHECK(opened == 10);
    CHECK(schema.ask("SELECT count(*), count(DISTINCT number) FROM migrations").at(0) ==
          std::vector<std::string>{"4", "4"});
    CHECK(schema.ask("SELECT count(*), max(version) FROM events").at(0) ==
          std::vector<std::string>{"10", "10"});
}

TEST_CASE("standing: what cannot be reached is named, its password is not", "[postgres]") {
    const postgres_schema schema;
    scratch_folder folder;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    store_settings settings;
    settings.data = folder.path() / "data";
    settings.url = "postgresql://flex:very-secret@127.0.0.1:1/shop";
    const auto refused = open_store(settings, metrics, health);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == store_errc::unavailable);
    CHECK(refused.error().client.contains("127.0.0.1:1/shop"));
    for (const char* url :
         {"postgresql://flex:very-secret@x@127.0.0.1:1/shop",
          "postgresql://u:very/secret@127.0.0.1/d", "postgresql://u:very-secret#x@127.0.0.1/d"}) {
        settings.url = url;
        const auto apart = open_store(settings, metrics, health);
        REQUIRE_FALSE(apart);
        CHECK_FALSE((apart.error().client + apart.error().log).contains("secret"));
    }
    CHECK_FALSE((refused.error().client + refused.error().log).contains("very-secret"));
    settings.url = "postgresql://flex:very-secret@127.0.0.1:1/shop?nonsense=very-secret";
    const auto wrong = open_store(settings, metrics, health);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().client.contains("store.url"));
    CHECK_FALSE((wrong.error().client + wrong.error().log).contains("very-secret"));
}
