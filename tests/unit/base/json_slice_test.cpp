#include "base/json.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <string>

using namespace flexcore;
using json::kind;
using json::slice;

namespace {

slice parsed(std::string_view text) {
    const auto value = json::parse(text);
    REQUIRE(value);
    return *value;
}

}  // namespace

TEST_CASE("parse: gives the value's exact bytes without surrounding space") {
    CHECK(parsed(" \n{ \"a\" : 1.0 }\t").text == "{ \"a\" : 1.0 }");
    CHECK(parsed("1.0").text == "1.0");
    CHECK_FALSE(json::parse("{"));
}

TEST_CASE("slice: knows its kind") {
    CHECK(parsed("null").type() == kind::null);
    CHECK(parsed("null").is_null());
    CHECK(parsed("true").type() == kind::boolean);
    CHECK(parsed("-1").type() == kind::number);
    CHECK(parsed("7").type() == kind::number);
    CHECK(parsed("\"\"").type() == kind::string);
    CHECK(parsed("[]").type() == kind::array);
    CHECK(parsed("{}").type() == kind::object);
}

TEST_CASE("slice: strings are unescaped, and point into the text when nothing is escaped") {
    const std::string text = "\"plain\"";
    std::string scratch;
    CHECK(parsed(text).string(scratch).data() == text.data() + 1);
    CHECK(parsed("\"\"").string().empty());
    CHECK(parsed(R"("a\"\\\/\b\f\n\r\tz")").string() == "a\"\\/\b\f\n\r\tz");
    CHECK(parsed(R"("\u0041\u00e4\u20AC\ud83d\uDE42!")").string() == "Aä€🙂!");
    CHECK(parsed("\"a\\u0000b\"").string() == std::string("a\0b", 3));
}

TEST_CASE("slice: integers only when written as such and within range") {
    CHECK(parsed("0").integer() == 0);
    CHECK(parsed("-0").integer() == 0);
    CHECK(parsed("-9223372036854775808").integer() == std::numeric_limits<std::int64_t>::min());
    CHECK(parsed("9223372036854775807").integer() == std::numeric_limits<std::int64_t>::max());
    CHECK(parsed("18446744073709551615").unsigned_integer() ==
          std::numeric_limits<std::uint64_t>::max());
    for (const char* text : {"9223372036854775808", "1.0", "1e3", "\"1\"", "true", "null", "[1]"}) {
        INFO(text);
        CHECK_FALSE(parsed(text).integer());
    }
    CHECK_FALSE(parsed("-1").unsigned_integer());
    CHECK_FALSE(parsed("18446744073709551616").unsigned_integer());
}

TEST_CASE("slice: booleans only when they are") {
    CHECK(parsed("true").boolean() == true);
    CHECK(parsed("false").boolean() == false);
    CHECK_FALSE(parsed("0").boolean());
    CHECK_FALSE(parsed("null").boolean());
}

TEST_CASE("members_of: members in order with their exact bytes") {
    std::vector<json::member> members(3);
    json::members_of(parsed("{}"), members);
    CHECK(members.empty());
    json::members_of(parsed(" { } "), members);
    CHECK(members.empty());
    const std::string text =
        R"({"a":1.0, "b" : {"x":["]","}"]} ,"c\n":"\"}", "d":[[],{}],"e":null,"f":-1e5})";
    json::members_of(parsed(text), members);
    REQUIRE(members.size() == 6);
    CHECK(members[0].value.text == "1.0");
    CHECK(members[1].value.text == R"({"x":["]","}"]})");
    CHECK(members[2].raw_name == "c\\n");
    CHECK(members[2].name() == "c\n");
    CHECK(members[2].named("c\n"));
    CHECK_FALSE(members[2].named("c\\n"));
    CHECK(members[2].value.string() == "\"}");
    CHECK(members[3].value.text == "[[],{}]");
    CHECK(members[4].value.is_null());
    CHECK(members[5].value.text == "-1e5");
    CHECK(members[5].named("f"));
}

TEST_CASE("elements_of: elements in order with their exact bytes") {
    std::vector<slice> elements(2);
    json::elements_of(parsed("[ ]"), elements);
    CHECK(elements.empty());
    json::elements_of(parsed(R"([1 , "a,]" ,[2,3],{"k":[4]},true])"), elements);
    REQUIRE(elements.size() == 5);
    CHECK(elements[0].text == "1");
    CHECK(elements[1].text == "\"a,]\"");
    CHECK(elements[2].text == "[2,3]");
    CHECK(elements[3].text == "{\"k\":[4]}");
    CHECK(elements[4].text == "true");
}

TEST_CASE("append_string: what it writes reads back the same, every byte below 128") {
    std::string plain;
    for (char c = 0; c >= 0 && c < 127; ++c) plain += c;
    plain += "\x7fä€🙂";
    std::string text = "[";
    json::append_string(text, plain);
    text += ']';
    std::vector<slice> elements;
    json::elements_of(parsed(text), elements);
    REQUIRE(elements.size() == 1);
    CHECK(elements[0].string() == plain);
}

TEST_CASE("append_number: whole range") {
    std::string out;
    json::append_number(out, std::numeric_limits<std::uint64_t>::max());
    out += ' ';
    json::append_number(out, std::numeric_limits<std::int64_t>::min());
    CHECK(out == "18446744073709551615 -9223372036854775808");
}
