#include "app/nearest.hpp"

#include <catch2/catch.hpp>

#include <vector>

using flexcore::app::edit_distance;
using flexcore::app::nearest;

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
    const std::vector<std::string> names{"http.host", "http.port", "store.url"};
    CHECK(nearest("http.prot", names) == "http.port");
    CHECK(nearest("htp.host", names) == "http.host");
    CHECK_FALSE(nearest("completely_else", names));
    CHECK_FALSE(nearest("x", std::vector<std::string>{}));
}
