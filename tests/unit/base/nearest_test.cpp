#include "base/nearest.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

using namespace flexcore;

TEST_CASE("nearest: steps are inserting, dropping, replacing and swapping neighbours") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("port", "port") == 0);
    CHECK(edit_distance("port", "prt") == 1);
    CHECK(edit_distance("port", "prot") == 1);
    CHECK(edit_distance("port", "pork") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("nearest: the least distant candidate, or none when all are far") {
    const std::vector<std::string> settings{"http.host", "http.port", "store.url"};
    CHECK(nearest_name("http.prot", settings) == "http.port");
    CHECK(nearest_name("htp.host", settings) == "http.host");
    CHECK_FALSE(nearest_name("completely_else", settings));
    CHECK_FALSE(nearest_name("x", std::vector<std::string>{}));
    constexpr std::array<std::string_view, 3> names{"limit", "after", "direction"};
    CHECK(nearest_name("limt", names) == "limit");
    CHECK(nearest_name("dirction", names) == "direction");
    CHECK_FALSE(nearest_name("colour", names));
}

TEST_CASE("nearest: a name of any length is answered quickly") {
    const std::vector<std::string> names{std::string(100, 'x')};
    CHECK_FALSE(nearest_name(std::string(99, 'x'), names));
}

TEST_CASE("nearest: the guess as part of a sentence") {
    constexpr std::array<std::string_view, 1> names{"events"};
    CHECK(did_you_mean("evnts", names) == "; did you mean \"events\"?");
    CHECK(did_you_mean("colour", names).empty());
}
