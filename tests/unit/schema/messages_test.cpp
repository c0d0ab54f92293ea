#include "check.hpp"

#include <boost/json/serialize.hpp>

using namespace flexcore;

namespace {

constexpr std::string_view order = R"({
  "type":"object","required":["country","lines"],"additionalProperties":false,
  "properties":{
    "country":{"type":"string","pattern":"^[A-Z]{2}$"},
    "customer":{"anyOf":[{"type":"string"},{"type":"null"}]},
    "placed_at":{"type":"string","format":"date-time"},
    "lines":{"type":"array","maxItems":3,"items":{
      "type":"object","required":["sku"],"additionalProperties":false,
      "properties":{"sku":{"type":"string","minLength":1},
                    "quantity":{"type":"integer","minimum":1}}}}}})";

}  // namespace

TEST_CASE("violations: point at the member that is wrong and say what it must be") {
    CHECK(told(order, R"({"country":"DE","lines":[{"sku":"a","quantity":1}]})").empty());
    CHECK(told(order, R"({"country":"DE","lines":[{"sku":"a","quantity":0}]})") ==
          "/lines/0/quantity: must be at least 1");
    CHECK(told(order, R"({"country":"Germany","lines":[]})") ==
          "/country: must match the pattern ^[A-Z]{2}$");
    CHECK(told(order, R"({"country":"DE","placed_at":"now","lines":[]})") ==
          "/placed_at: must be a date-time such as 2026-11-22T10:00:00Z");
    CHECK(told(order, R"({"country":"DE","lines":{}})") == "/lines: must be an array");
    CHECK(told(order, "[]") == ": must be an object");
}

TEST_CASE("violations: a missing member is told at its object, an unknown one at itself") {
    CHECK(told(order, R"({"country":"DE","lines":[{"sku":"a"},{}]})") ==
          "/lines/1: the member \"sku\" is required");
    CHECK(told(order, R"({"country":"DE","lines":[],"colour":1,"a/b~":2})") ==
          "/colour: is not a known member\n/a~1b~0: is not a known member");
}

TEST_CASE("violations: each one once, without the levels above it") {
    CHECK(told(order, R"({"lines":[{"sku":7,"quantity":0},{"sku":"","x":1}]})") ==
          "/lines/0/quantity: must be at least 1\n/lines/0/sku: must be a string\n"
          "/lines/1/sku: must have at least 1 character\n/lines/1/x: is not a known member\n"
          ": the member \"country\" is required");
}

TEST_CASE("violations: of alternatives the one that fits best, or all in one text") {
    CHECK(told(order, R"({"country":"DE","customer":7,"lines":[]})") ==
          "/customer: must be a string, or must be null");
    constexpr std::string_view shapes = R"({"oneOf":[
        {"properties":{"kind":{"const":"circle"},"radius":{"type":"number"}}},
        {"properties":{"kind":{"const":"box"},"width":{"type":"number"},
                       "height":{"type":"number"}}}]})";
    CHECK(told(shapes, R"({"kind":"box","width":"wide","height":1,"radius":"r"})") ==
          "/width: must be a number");
    CHECK(told(R"({"oneOf":[{"minimum":1},{"maximum":5}]})", "3") ==
          ": must match exactly one of the alternatives, but matches several");
    CHECK(told(R"({"anyOf":[{"required":["a"]},{"required":["b","c"]}]})", "{}") ==
          ": the member \"a\" is required, or the member \"b\" is required and the member \"c\" "
          "is required");
    // What failed before the alternatives is not taken for a part of them.
    CHECK(told(R"({"allOf":[{"maximum":1}],"anyOf":[{"type":"string"},{"type":"null"}]})", "2") ==
          ": must be at most 1\n: must be a string, or must be null");
    CHECK(told(R"({"anyOf":[{"anyOf":[{"const":1},{"const":2}]},{"const":3}]})", "4") ==
          ": must be 1, or must be 2, or must be 3");
}

TEST_CASE("violations: every keyword has a text of its own") {
    const std::tuple<const char*, const char*, const char*> cases[] = {
        {"false", "1", "must not be there"},
        {R"({"type":["integer","null"]})", "\"a\"", "must be null or an integer"},
        {R"({"enum":["a",1,null]})", "2", "must be one of \"a\", 1, null"},
        {R"({"const":"x"})", "2", "must be \"x\""},
        {R"({"maximum":2.5})", "3", "must be at most 2.5"},
        {R"({"exclusiveMinimum":0})", "0", "must be greater than 0"},
        {R"({"exclusiveMaximum":10})", "10", "must be less than 10"},
        {R"({"multipleOf":0.25})", "0.3", "must be a multiple of 0.25"},
        {R"({"minLength":2})", "\"a\"", "must have at least 2 characters"},
        {R"({"maxLength":1})", "\"ab\"", "must have at most 1 character"},
        {R"({"minItems":2})", "[]", "must have at least 2 elements"},
        {R"({"maxItems":1})", "[1,2]", "must have at most 1 element"},
        {R"({"uniqueItems":true})", "[1,1.0]", "must not hold equal elements"},
        {R"({"minProperties":1})", "{}", "must have at least 1 member"},
        {R"({"contains":{"const":1}})", "[2]",
         "must hold at least one element of the kind asked for"},
        {R"({"not":{"type":"null"}})", "null", "must not match what the schema excludes"},
        {R"({"dependencies":{"a":["b"]}})", R"({"a":1})",
         "the member \"b\" is required when \"a\" is there"},
        {R"({"dependencies":{"a":{"required":["b"]}}})", R"({"a":1})",
         "the member \"b\" is required"},
        {R"({"if":true,"then":{"type":"string"}})", "1", "must be a string"},
        {R"({"format":"uuid"})", "\"x\"", "must be a UUID"},
    };
    for (const auto& [schema_text, value, text] : cases)
        CHECK(told(schema_text, value) == ": " + std::string{text});
    CHECK(told(R"({"propertyNames":{"maxLength":1}})", R"({"a":1,"bc":2})") ==
          "/bc: has a name that is not allowed");
    CHECK(told(R"({"items":{"not":{}}})", "[1]") == "/0: must not match what the schema excludes");
    CHECK(told(R"({"additionalProperties":{"type":"null"}})", R"({"a":1})") == "/a: must be null");
    CHECK(told(R"({"items":[{"type":"null"}]})", "[1]") == "/0: must be null");
}

TEST_CASE("violations: at most 20, and the text of a value is not repeated endlessly") {
    std::string many = "[0";
    for (int i = 0; i < 100; ++i) many += ",0";
    CHECK(violations_of(compiled(R"({"items":{"type":"string"}})"), many + "]").size() == 20);
    const std::string long_const = "{\"const\":\"" + std::string(5000, 'x') + "\"}";
    CHECK(told(long_const, "1").size() < 300);
}

TEST_CASE("violations_to_error: the problem's members, each pointer with its prefix") {
    const error e = violations_to_error({{"/a", "must be null"}, {"", "is odd"}}, "/data");
    CHECK(e.code == schema_errc::invalid_value);
    CHECK(e.client == "/data/a must be null");
    REQUIRE(e.members);
    CHECK(boost::json::serialize(*e.members) ==
          R"({"errors":[{"pointer":"/data/a","detail":"must be null"},)"
          R"({"pointer":"/data","detail":"is odd"}]})");
}
