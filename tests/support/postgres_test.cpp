#include "support/postgres.hpp"

#include <catch2/catch.hpp>

using namespace flexcore::test;

TEST_CASE("postgres: a schema is a test's own, and goes with all in it", "[support]") {
    std::string name;
    {
        const postgres_schema schema;
        const postgres_schema other;
        name = schema.name();
        CHECK(name != other.name());
        schema.ask("CREATE SCHEMA " + name + "; CREATE TABLE t (a int, b text)");
        schema.ask("INSERT INTO t VALUES (1, 'one'), (2, NULL)");
        CHECK(schema.ask("SELECT * FROM t ORDER BY a") ==
              std::vector<std::vector<std::string>>{{"1", "one"}, {"2", ""}});
        CHECK_THROWS_AS(other.ask("SELECT * FROM t"), std::runtime_error);
    }
    CHECK(ask_postgres(postgres_url(), "SELECT * FROM pg_namespace WHERE nspname = '" + name + "'")
              .empty());
}
