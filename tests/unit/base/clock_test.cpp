#include "base/clock.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace flexcore;

TEST_CASE("format_time: UTC with microseconds in 27 characters") {
    CHECK(format_time(0) == "1970-01-01T00:00:00.000000Z");
    CHECK(format_time(1'795'341'600'123'456) == "2026-11-22T10:00:00.123456Z");
    CHECK(format_time(-1) == "1969-12-31T23:59:59.999999Z");
    CHECK(format_time(951'782'400'000'000) == "2000-02-29T00:00:00.000000Z");
}

TEST_CASE("format_time: a time beyond four digits of a year stays 27 characters") {
    CHECK(format_time(std::numeric_limits<unix_us>::max()) == "9999-12-31T23:59:59.999999Z");
    CHECK(format_time(std::numeric_limits<unix_us>::min()) == "0000-01-01T00:00:00.000000Z");
}

TEST_CASE("parse_time: reads back what format_time wrote") {
    for (const unix_us t : {unix_us{0}, unix_us{-1}, unix_us{1'795'341'600'123'456}, now_unix_us()})
        CHECK(parse_time(format_time(t)) == t);
}

TEST_CASE("parse_time: offsets, fractions and lower case of RFC 3339") {
    CHECK(parse_time("1970-01-01T00:00:00Z") == 0);
    CHECK(parse_time("1970-01-01t00:00:00z") == 0);
    CHECK(parse_time("1970-01-01T01:30:00+01:30") == 0);
    CHECK(parse_time("1969-12-31T22:00:00-02:00") == 0);
    CHECK(parse_time("1970-01-01T00:00:00-00:00") == 0);
    CHECK(parse_time("1970-01-01T00:00:00.5Z") == 500'000);
    CHECK(parse_time("1970-01-01T00:00:00.1234567Z") == 123'456);
    CHECK(parse_time("1970-01-01T00:00:00.123456789Z") == 123'456);
}

TEST_CASE("parse_time: a leap second counts only at the end of a UTC day") {
    CHECK(parse_time("1970-01-01T23:59:60Z") == 86'400'000'000);
    CHECK(parse_time("1970-01-02T00:59:60+01:00") == 86'400'000'000);
    CHECK_FALSE(parse_time("1970-01-01T22:59:60Z"));
    CHECK_FALSE(parse_time("1970-01-01T23:59:60+01:00"));
    CHECK_FALSE(parse_time("1970-01-01T23:59:61Z"));
}

TEST_CASE("parse_time: what is not RFC 3339 is refused") {
    for (const char* text : {"",
                             "1970",
                             "1970-01-01",
                             "1970-01-01T00:00:00",
                             "1970-01-01 00:00:00Z",
                             "1970-13-01T00:00:00Z",
                             "1970-00-01T00:00:00Z",
                             "1970-02-30T00:00:00Z",
                             "1970-01-01T24:00:00Z",
                             "1970-01-01T00:60:00Z",
                             "1970-01-01T00:00:00.Z",
                             "1970-01-01T00:00:00.1234567890Z",
                             "1970-01-01T00:00:00+0100",
                             "1970-01-01T00:00:00+24:00",
                             "1970-01-01T00:00:00+01:60",
                             "1970-01-01T00:00:00Zx",
                             " 1970-01-01T00:00:00Z",
                             "+970-01-01T00:00:00Z",
                             "1970-1-1T00:00:00Z",
                             "1970-01-01T00:00:00z+01:00",
                             "1999-02-29T00:00:00Z"}) {
        INFO(text);
        CHECK_FALSE(parse_time(text));
    }
    CHECK_FALSE(parse_time(std::string_view{"1970-01-01T00:00:00Z\0", 21}));
}
