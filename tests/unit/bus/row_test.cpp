#include "unit/bus/query_fixture.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

std::string body_of(const store::row& row) { return row.key + " " + row.json; }

}  // namespace

TEST_CASE("rows: a row is answered with an etag over its data, and kept until it changes") {
    query_world w;
    w.put("1", R"({"n":1})");
    const auto first = w.queries.row("default", "items", "1", body_of);
    REQUIRE(first);
    CHECK((*first)->body == R"(1 {"n":1})");
    CHECK((*first)->pos == 1);
    w.put("2", "{}");
    CHECK(w.queries.row("default", "items", "1", body_of).value() == *first);
    w.put("1", R"({"n":2})");
    const auto second = w.queries.row("default", "items", "1", body_of);
    REQUIRE(second);
    CHECK((*second)->body == R"(1 {"n":2})");
    CHECK((*second)->etag != (*first)->etag);
}

TEST_CASE("rows: another tenant's, model's or key's row is not this one") {
    query_world w;
    w.put("1", "{}");
    REQUIRE(w.queries.row("default", "items", "1", body_of));
    for (const auto& missing : {w.queries.row("other", "items", "1", body_of),
                                w.queries.row("default", "hidden", "1", body_of),
                                w.queries.row("default", "items", "2", body_of)}) {
        REQUIRE_FALSE(missing);
        CHECK(missing.error().code == bus::bus_errc::not_found);
    }
    CHECK_FALSE(w.queries.row("default", "nothing", "1", body_of));
}

TEST_CASE("rows: what was not there is not remembered, and a new row is seen") {
    query_world w;
    CHECK_FALSE(w.queries.row("default", "items", "1", body_of));
    w.put("1", "{}");
    CHECK(w.queries.row("default", "items", "1", body_of));
}

TEST_CASE("rows: without a cache each answer is read anew") {
    query_world w{{.cache_bytes_max = 0}};
    w.put("1", "{}");
    const auto first = w.queries.row("default", "items", "1", body_of);
    REQUIRE(first);
    w.put("1", R"({"n":2})", false);
    CHECK(w.queries.row("default", "items", "1", body_of).value()->body == R"(1 {"n":2})");
}
