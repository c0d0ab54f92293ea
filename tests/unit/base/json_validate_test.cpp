#include "base/json.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>

using namespace flexcore;

namespace {

std::string refusal(std::string_view text, std::size_t depth_max = json::depth_max_default) {
    const auto checked = json::validate(text, depth_max);
    if (checked) return "accepted";
    CHECK(checked.error().code == base_errc::invalid_json);
    return checked.error().client;
}

std::string object_of(std::size_t names) {
    std::string text = "{";
    for (std::size_t i = 0; i < names; ++i) text += "\"n" + std::to_string(i) + "\":0,";
    text.back() = '}';
    return text;
}

}  // namespace

TEST_CASE("validate: what RFC 8259 allows is accepted") {
    for (const char* text : {"null",
                             "true",
                             " false ",
                             "0",
                             "-0",
                             "1.0",
                             "1e5",
                             "-12.5E-3",
                             "\"\"",
                             "\"a\\u00e4\\n\"",
                             "[]",
                             "{}",
                             "\t[1, 2 ,3]\r\n",
                             "{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}}",
                             "\"\\ud83d\\ude42\"",
                             "\"größe 🙂\"",
                             "18446744073709551615",
                             "-9223372036854775808",
                             "123456789012345678901234567890",
                             "1e308",
                             "1e-999",
                             "{\"\":0}",
                             "\"\x7f\""}) {
        INFO(text);
        CHECK(json::validate(text));
    }
}

TEST_CASE("validate: what RFC 8259 refuses is refused") {
    for (const char* text : {"",
                             " ",
                             "nul",
                             "True",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "1e",
                             "- 1",
                             "NaN",
                             "Infinity",
                             "0x1",
                             "'a'",
                             "\"a",
                             "\"\\x\"",
                             "\"\\u12g4\"",
                             "\"\n\"",
                             "\"\t\"",
                             "[1,]",
                             "[,1]",
                             "[1 2]",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{1:1}",
                             "[",
                             "]",
                             "{",
                             "[1",
                             "{\"a\":1",
                             "1 2",
                             "[] x",
                             "{}{}",
                             "// c\n1",
                             "/* c */ 1",
                             "\xEF\xBB\xBF{}"}) {
        INFO(text);
        CHECK_FALSE(json::validate(text));
    }
    CHECK_FALSE(json::validate(std::string_view{"1\0", 2}));
    CHECK_FALSE(json::validate(std::string_view{"\"\0\"", 3}));
}

TEST_CASE("validate: broken UTF-8 and lone surrogates are refused") {
    for (const char* text : {"\"\xFF\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"",
                             "\"\xE2\x82\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
                             "\"\\ud800x\"", "{\"\xFF\":1}", "\"\\n\xFF\"", "\"\\ud83d\\ud83d\""}) {
        INFO(text);
        CHECK_FALSE(json::validate(text));
    }
    CHECK(refusal("[\"ab\xFF\"]") == "byte 4: invalid UTF-8");
    CHECK(refusal("\"\\udc00\"").find("surrogate") != std::string::npos);
}

TEST_CASE("validate: numbers that no finite double carries are refused") {
    CHECK(refusal("1e309").find("too large") != std::string::npos);
    CHECK(refusal("[-1e400]").find("too large") != std::string::npos);
    CHECK(refusal("1e99999999999").find("too large") != std::string::npos);
    CHECK(refusal(std::string(400, '9')).find("too large") != std::string::npos);
}

TEST_CASE("validate: a refusal names the byte and the cause") {
    CHECK(refusal("") == "byte 0: the text ends inside a value");
    CHECK(refusal("{\"a\":1") == "byte 6: the text ends inside a value");
    CHECK(refusal("{\n \"a\": 1,\n  ]") == "byte 13 (line 3, column 3): not JSON (syntax error)");
    CHECK(refusal("[1]\n,") == "byte 4 (line 2, column 1): something follows the value");
    CHECK(refusal(",\n").starts_with("byte 0 (line 1, column 1): "));
    CHECK(refusal("{} x") == "byte 3: something follows the value");
    CHECK(refusal("[1,}").starts_with("byte 3: not JSON"));
    CHECK(refusal("{\"type\":\"a\",    \"type\":2}") ==
          "byte 16: the member \"type\" appears twice");
}

TEST_CASE("validate: duplicate members are refused at every depth, escaped ones too") {
    CHECK(refusal("[[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]]") ==
          "byte 20: the member \"b\" appears twice");
    CHECK(refusal("{\"ab\":1,\"a\\u0062\":2}") == "byte 8: the member \"ab\" appears twice");
    CHECK(refusal("{\"\\u0061b\":1,\"ab\":2}") == "byte 13: the member \"ab\" appears twice");
    CHECK(refusal("{\"a\\\"b\\\\\":1,\"a\\u0022b\\\\\":2}") ==
          "byte 12: the member \"a\"b\\\" appears twice");
    CHECK(refusal("{\"\":1,\"\":2}") == "byte 6: the member \"\" appears twice");
    // The same name in different objects is no duplicate.
    CHECK(json::validate("{\"a\":{\"a\":{\"b\":1}},\"b\":{\"a\":1,\"b\":[{\"a\":1},{\"a\":1}]}}"));
}

TEST_CASE("validate: escaped names longer than the parser's buffer are compared whole") {
    const std::string long_name = std::string(300, 'x') + "\\n" + std::string(5000, 'y');
    CHECK(json::validate("{\"" + long_name + "\":1,\"" + long_name + "z\":2}"));
    const std::string text = "{\"" + long_name + "\":1,\"" + long_name + "\":2}";
    const std::string refused = refusal(text);
    CHECK(refused.starts_with("byte " + std::to_string(long_name.size() + 6) + ": the member"));
    CHECK(refused.size() < 250);
}

TEST_CASE("validate: duplicates are found in objects of any size, wherever they stand") {
    for (const std::size_t names : {15U, 16U, 17U, 18U, 1000U}) {
        std::string text = object_of(names);
        INFO(names);
        CHECK(json::validate(text));
        for (const std::size_t again : {std::size_t{0}, names / 2, names - 1}) {
            text.back() = ',';
            const std::string twice = text + "\"n" + std::to_string(again) + "\":1}";
            CHECK(refusal(twice) == "byte " + std::to_string(text.size()) + ": the member \"n" +
                                        std::to_string(again) + "\" appears twice");
        }
        // Two large objects, one in the other, keep their names apart.
        text.back() = ',';
        CHECK(json::validate(text + "\"in\":" + object_of(names) + "}"));
    }
}

TEST_CASE("validate: the time for an object of many members does not grow with their square") {
    const std::string text = object_of(200'000);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(json::validate(text));
    // Pairwise, these are 2e10 comparisons: minutes.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{10});
}

TEST_CASE("validate: nesting beyond the limit is refused cleanly, 100,000 arrays as well") {
    CHECK(json::validate(std::string(64, '[') + std::string(64, ']')));
    CHECK(refusal(std::string(65, '[') + std::string(65, ']')) ==
          "byte 64: nested deeper than 64 levels");
    CHECK(json::validate("[{\"a\":[]}]", 3));
    CHECK_FALSE(json::validate("[{\"a\":[]}]", 2));
    for (const char* open : {"[", "{\"a\":"}) {
        std::string deep;
        for (int i = 0; i < 100'000; ++i) deep += open;
        CHECK(refusal(deep).find("nested deeper than 64 levels") != std::string::npos);
    }
}

TEST_CASE("validate: a refusal leaves nothing behind for the next text") {
    CHECK_FALSE(json::validate("{\"a\":1,\"b\\n\":2,\"b\\n\":3}"));
    CHECK(json::validate("{\"b\\n\":1,\"a\":2}"));
    CHECK_FALSE(json::validate("[[[{\"a\":1e999}]]]"));
    CHECK(json::validate("{\"a\":1}"));
    CHECK_FALSE(json::validate("{\"half\\t"));
    CHECK(json::validate("{\"x\":1,\"half\\t\":2}"));
}

TEST_CASE("to_value: builds the value and refuses what validate refuses") {
    const auto value = json::to_value(" {\"a\":[1,2.5,\"x\"]} ");
    REQUIRE(value);
    CHECK(value->at("a").as_array().size() == 3);
    CHECK_FALSE(json::to_value("{\"a\":1,\"a\":2}"));
    CHECK(json::to_value(std::string(64, '[') + std::string(64, ']')));
    CHECK_FALSE(json::to_value(std::string(65, '[') + std::string(65, ']')));
}
