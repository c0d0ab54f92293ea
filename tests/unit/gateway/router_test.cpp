#include "gateway/router.hpp"

#include "gateway/errc.hpp"
#include "gateway/exchange.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

void add(router& to, verb method, std::string pattern, std::vector<query_param> query = {}) {
    to.add({.method = method,
            .pattern = std::move(pattern),
            .handler = [](request&, responder) {},
            .operation = "o",
            .summary = "s",
            .tag = "t",
            .query = std::move(query)});
}

std::string allow_of(const error& e) { return std::string{e.members->at("allow").as_string()}; }

}  // namespace

TEST_CASE("router: literals win over parameters, and parameters are in order") {
    router table;
    add(table, verb::get, "/v1/events/{id}");
    add(table, verb::get, "/v1/events/stream");
    add(table, verb::get, "/v1/read-models/{name}/{key}");
    add(table, verb::get, "/v1/{kind}/list");

    auto at = resolve(table, verb::get, "/v1/events/stream");
    REQUIRE(at);
    CHECK((*at)->to->pattern == "/v1/events/stream");
    at = resolve(table, verb::get, "/v1/events/x%2Fy");
    REQUIRE(at);
    CHECK((*at)->to->pattern == "/v1/events/{id}");
    CHECK((*at)->params == std::vector<std::string>{"x/y"});
    at = resolve(table, verb::get, "/v1/read-models/orders/1");
    REQUIRE(at);
    CHECK((*at)->params == std::vector<std::string>{"orders", "1"});
    // The literal "events" does not hide the parameter beside it.
    at = resolve(table, verb::get, "/v1/events/list");
    REQUIRE(at);
    at = resolve(table, verb::get, "/v1/other/list");
    REQUIRE(at);
    CHECK((*at)->params == std::vector<std::string>{"other"});
    // A path may be written with needless escapes.
    CHECK(resolve(table, verb::get, "/v1/%65vents/stream"));
}

TEST_CASE("router: an unknown path is 404, a wrong method 405 with what is allowed") {
    router table;
    add(table, verb::get, "/a");
    add(table, verb::post, "/a");
    add(table, verb::delete_, "/b");
    auto at = resolve(table, verb::get, "/c");
    REQUIRE_FALSE(at);
    CHECK(at.error().code == make_error_code(gateway_errc::not_found));
    CHECK(resolve(table, verb::get, "/a/").error().code ==
          make_error_code(gateway_errc::not_found));
    for (const verb method : {verb::put, verb::other, verb::options, verb::delete_}) {
        at = resolve(table, method, "/a");
        REQUIRE_FALSE(at);
        CHECK(at.error().code == make_error_code(gateway_errc::method_not_allowed));
        CHECK(allow_of(at.error()) == "GET, HEAD, POST, OPTIONS");
    }
    CHECK(allow_of(resolve(table, verb::get, "/b").error()) == "DELETE, OPTIONS");
    CHECK(resolve(table, verb::head, "/a"));
    CHECK_FALSE(resolve(table, verb::head, "/b"));
    CHECK(resolve(table, verb::get, "*").error().code ==
          make_error_code(gateway_errc::bad_request));
    CHECK(resolve(table, verb::options, "*").error().code ==
          make_error_code(gateway_errc::method_not_allowed));
}

TEST_CASE("router: unknown and repeated query parameters are refused by name") {
    router table;
    add(table, verb::get, "/a",
        {{"limit", param_type::integer, "", 1, 9}, {"after", param_type::text, ""}});
    CHECK(resolve(table, verb::get, "/a?limit=1&after=x"));
    auto at = resolve(table, verb::get, "/a?limt=1");
    REQUIRE_FALSE(at);
    CHECK(at.error().code == make_error_code(gateway_errc::bad_request));
    CHECK(at.error().client == "Unknown query parameter \"limt\"; did you mean \"limit\"?");
    CHECK(resolve(table, verb::get, "/a?colour=1").error().client ==
          "Unknown query parameter \"colour\".");
    CHECK(resolve(table, verb::get, "/a?after=1&after=1").error().client ==
          "Query parameter \"after\" stands twice.");
}
