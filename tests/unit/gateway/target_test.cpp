#include "gateway/target.hpp"

#include <catch2/catch.hpp>

namespace {
using namespace flexcore;
using namespace flexcore::gateway;
using texts = std::vector<std::string>;
}  // namespace

TEST_CASE("target: a path is split first and decoded then") {
    CHECK(*decode_path("/") == texts{""});
    CHECK(*decode_path("/v1/streams") == texts{"v1", "streams"});
    CHECK(*decode_path("/v1/streams/a%2Fb/events") == texts{"v1", "streams", "a/b", "events"});
    CHECK(*decode_path("/a%C3%A9%e2%82%ac") == texts{"a\xC3\xA9\xE2\x82\xAC"});
    CHECK(*decode_path("/a//b/") == texts{"a", "", "b", ""});
    CHECK(*decode_path("/a%25b+c") == texts{"a%b+c"});
}

TEST_CASE("target: what no path may hold is refused") {
    for (const char* bad : {"/%", "/%4", "/%zz", "/%4g", "/a%00b", "/%0A", "/%1f", "/%7F", "/%FF",
                            "/%C3", "/%ED%A0%80", "/%C0%80"}) {
        INFO(bad);
        CHECK_FALSE(decode_path(bad));
    }
}

TEST_CASE("target: query arguments are decoded, plus is a space") {
    const auto args = decode_query("a=1&b=x+y%2B&c&=d&&e=%C3%A9=2");
    REQUIRE(args);
    REQUIRE(args->size() == 5);
    CHECK(((*args)[0].name == "a" && (*args)[0].value == "1"));
    CHECK(((*args)[1].name == "b" && (*args)[1].value == "x y+"));
    CHECK(((*args)[2].name == "c" && (*args)[2].value.empty()));
    CHECK(((*args)[3].name.empty() && (*args)[3].value == "d"));
    CHECK(((*args)[4].name == "e" && (*args)[4].value == "\xC3\xA9=2"));
    for (const char* bad : {"a=%", "a=%0", "%zz=1", "a=%00", "a=%FF"}) {
        INFO(bad);
        CHECK_FALSE(decode_query(bad));
    }
}

TEST_CASE("target: origin, absolute and asterisk form") {
    auto parts = split_target("/a/b?c=d?e");
    REQUIRE(parts);
    CHECK(parts->path == "/a/b");
    CHECK(parts->query == "c=d?e");
    parts = split_target("HTTP://host:80/a?b");
    REQUIRE(parts);
    CHECK(parts->path == "/a");
    CHECK(parts->query == "b");
    parts = split_target("http://host");
    REQUIRE(parts);
    CHECK(parts->path == "/");
    parts = split_target("https://host?x=1");
    REQUIRE(parts);
    CHECK(parts->path == "/");
    CHECK(parts->query == "x=1");
    CHECK(split_target("*")->path == "*");
    for (const char* bad : {"host:80", "ftp://a/b", "a/b", "/a#b", "http:///x", "http://"}) {
        INFO(bad);
        CHECK_FALSE(split_target(bad));
    }
}

TEST_CASE("target: an encoded segment decodes to itself") {
    const std::string name = "a/b c%\xC3\xA9?#+";
    CHECK(*decode_path("/" + encode_segment(name)) == texts{name});
}
