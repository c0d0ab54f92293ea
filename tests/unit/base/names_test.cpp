#include "base/names.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace flexcore;

TEST_CASE("is_name: the documented characters, 1 to 255 bytes") {
    CHECK(is_name("a"));
    CHECK(is_name("9"));
    CHECK(is_name("sales.order_placed:v2/x-1"));
    CHECK(is_name(std::string(255, 'a')));
    CHECK_FALSE(is_name(""));
    CHECK_FALSE(is_name(std::string(256, 'a')));
    for (const char* bad : {".a", "_a", "-a", ":a", "/a", "a b", "a\n", "a%", "ä", "a\x7f"}) {
        INFO(bad);
        CHECK_FALSE(is_name(bad));
    }
    CHECK_FALSE(is_name(std::string_view{"a\0b", 3}));
}

TEST_CASE("is_stream_name: 1 to 1024 bytes of UTF-8 without control characters") {
    CHECK(is_stream_name("sales.order-1001"));
    CHECK(is_stream_name("Größe / 注文 🙂"));
    CHECK(is_stream_name(std::string(1024, 'x')));
    CHECK_FALSE(is_stream_name(""));
    CHECK_FALSE(is_stream_name(std::string(1025, 'x')));
    CHECK_FALSE(is_stream_name("a\x1f"));
    CHECK_FALSE(is_stream_name("a\x7f"));
    CHECK_FALSE(is_stream_name("a\xC2\x80"));
    CHECK_FALSE(is_stream_name("a\xC2\x9F"));
    CHECK(is_stream_name("a\xC2\xA0"));
    CHECK_FALSE(is_stream_name(std::string_view{"a\0", 2}));
    CHECK_FALSE(is_stream_name("a\xff"));
}

TEST_CASE("is_utf8: overlong forms, surrogates and what lies above U+10FFFF are refused") {
    for (const char* good :
         {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
          "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
        CHECK(is_utf8(good));
    for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41",
                            "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
                            "\xE2\x82", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                            "\xF5\x80\x80\x80", "\xF0\x9F\x99", "\xFE", "\xFF"}) {
        INFO(bad);
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("is_utf8: what is wrong is found wherever it stands, and what is right is taken") {
    for (std::size_t before = 0; before < 20; ++before) {
        for (std::size_t after = 0; after < 20; ++after) {
            const auto between = [&](const std::string& text) {
                return std::string(before, 'a') + text + std::string(after, 'z');
            };
            CHECK(is_utf8(between("")));
            CHECK(is_utf8(between("\xF0\x9F\x90\x98")));
            CHECK_FALSE(is_utf8(between("\xF0\x9F\x90")));
            CHECK_FALSE(is_utf8(between("\x80")));
            CHECK(to_utf8(between("\x80")) == between("\xEF\xBF\xBD"));
        }
    }
}

TEST_CASE("to_utf8: each stray byte becomes U+FFFD and the rest stays") {
    CHECK(to_utf8("größe") == "größe");
    CHECK(to_utf8("a\xFFz") == "a\xEF\xBF\xBDz");
    CHECK(to_utf8("\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(is_utf8(to_utf8("\xF0\x9F\x99\xED\xA0\x80 \xC0\x80")));
}

TEST_CASE("category_of: what stands before the first dash") {
    CHECK(category_of("sales.order-1001-a") == "sales.order");
    CHECK(category_of("orders") == "orders");
    CHECK(category_of("-x").empty());
}

TEST_CASE("check_name: the refusal names the value and the rule") {
    CHECK(check_name("event type", "sales.order_placed"));
    const auto refused = check_name("event type", "no good");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base_errc::invalid_name);
    CHECK(refused.error().client.starts_with("event type must match [A-Za-z0-9]"));
    CHECK(check_stream_name("a"));
    CHECK(check_stream_name("").error().code == base_errc::invalid_name);
}
