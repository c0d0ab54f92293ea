#include "base/result.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;

TEST_CASE("error: members are added without touching copies made before") {
    const error first = fail(base_errc::invalid_argument, "no").error();
    const error second = error{first}.with("position", 7).with("reason", "late");
    CHECK(first.members == nullptr);
    REQUIRE(second.members != nullptr);
    CHECK(second.members->at("position") == 7);
    const error third = error{second}.with("position", 8);
    CHECK(second.members->at("position") == 7);
    CHECK(third.members->at("position") == 8);
    CHECK(third.client == "no");
}

TEST_CASE("base_errc: codes belong to the category base and have texts") {
    for (const auto code : {base_errc::invalid_json, base_errc::invalid_name,
                            base_errc::invalid_argument, base_errc::io, base_errc::internal}) {
        const std::error_code c = code;
        CHECK(std::string{c.category().name()} == "base");
        CHECK_FALSE(c.message().empty());
        CHECK(c.message() != "unknown base error");
    }
}
