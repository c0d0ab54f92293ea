#include "check.hpp"

#include <atomic>
#include <thread>

using namespace flexcore;

TEST_CASE("schema: types of draft 7, where 1.0 is an integer") {
    const std::pair<const char*, std::vector<const char*>> types[] = {
        {"null", {"null"}},
        {"boolean", {"true", "false"}},
        {"integer", {"1", "-1", "1.0", "1e3", "18446744073709551615"}},
        {"number", {"1", "1.5", "18446744073709551615"}},
        {"string", {"\"\"", "\"a\""}},
        {"array", {"[]"}},
        {"object", {"{}"}},
    };
    for (const auto& [name, own] : types) {
        const schema s = compiled("{\"type\":\"" + std::string{name} + "\"}");
        for (const auto& [other, values] : types)
            for (const char* value : values) {
                const bool integer_as_number =
                    std::string_view{name} == "number" && std::string_view{other} == "integer";
                const bool whole_number = std::string_view{name} == "integer" &&
                                          std::string_view{value} == "18446744073709551615";
                const bool one_as_integer =
                    std::string_view{name} == "integer" && std::string_view{value} == "1";
                INFO(name << " " << value);
                CHECK(accepts(s, value) ==
                      (name == other || integer_as_number || whole_number || one_as_integer));
            }
    }
    CHECK(accepts(R"({"type":["string","null"]})", "null"));
    CHECK_FALSE(accepts(R"({"type":["string","null"]})", "1"));
    CHECK_FALSE(accepts(R"({"type":"integer"})", "1.5"));
    CHECK_FALSE(accepts(R"({"type":"integer"})", "\"1\""));
    CHECK_FALSE(accepts(R"({"type":"boolean"})", "\"true\""));
    CHECK_FALSE(accepts(R"({"type":"null"})", "\"\""));
}

TEST_CASE("schema: enum and const compare whole values, 1 equals 1.0") {
    CHECK(accepts(R"({"enum":[1,"a",null,[1,2],{"a":1,"b":[]}]})", "1.0"));
    CHECK(accepts(R"({"enum":[1,"a",null,[1,2],{"a":1,"b":[]}]})", R"({"b":[],"a":1.0})"));
    CHECK_FALSE(accepts(R"({"enum":[1,"a",null,[1,2]]})", "[2,1]"));
    CHECK_FALSE(accepts(R"({"enum":["a"]})", "\"a\\u0000b\""));
    CHECK(accepts(R"({"const":{"a":[1]}})", R"({"a":[1]})"));
    CHECK_FALSE(accepts(R"({"const":false})", "0"));
    CHECK_FALSE(accepts(R"({"const":9007199254740993})", "9007199254740992"));
}

TEST_CASE("schema: limits of numbers, exact over the whole range of 64-bit integers") {
    const schema s = compiled(R"({"minimum":1,"exclusiveMaximum":10})");
    CHECK(accepts(s, "1"));
    CHECK(accepts(s, "9.99"));
    CHECK_FALSE(accepts(s, "0.99"));
    CHECK_FALSE(accepts(s, "10"));
    CHECK(accepts(s, "\"zero\""));
    CHECK_FALSE(accepts(R"({"exclusiveMinimum":1})", "1"));
    CHECK_FALSE(accepts(R"({"maximum":1})", "18446744073709551615"));
    CHECK_FALSE(accepts(R"({"maximum":9223372036854775807})", "9223372036854775808"));
    CHECK_FALSE(accepts(R"({"minimum":9007199254740993})", "9007199254740992"));
}

TEST_CASE("schema: multipleOf, decimal fractions too") {
    CHECK(accepts(R"({"multipleOf":5})", "15"));
    CHECK_FALSE(accepts(R"({"multipleOf":5})", "16"));
    CHECK(accepts(R"({"multipleOf":0.01})", "19.99"));
    CHECK(accepts(R"({"multipleOf":0.1})", "0.3"));
    CHECK_FALSE(accepts(R"({"multipleOf":0.01})", "19.999"));
    CHECK_FALSE(accepts(R"({"multipleOf":2})", "9007199254740993"));
    CHECK(accepts(R"({"multipleOf":3})", "18446744073709551615"));
}

TEST_CASE("schema: lengths count characters, also behind a NUL") {
    const schema s = compiled(R"({"minLength":2,"maxLength":3})");
    CHECK(accepts(s, "\"äö\""));
    CHECK(accepts(s, "\"🙂🙂🙂\""));
    CHECK_FALSE(accepts(s, "\"ä\""));
    CHECK_FALSE(accepts(s, "\"abcd\""));
    CHECK_FALSE(accepts(s, "\"a\\u0000bcd\""));
    CHECK(accepts(s, "\"a\\u0000b\""));
}

TEST_CASE("schema: pattern searches, by RE2, to the end of the string") {
    CHECK(accepts(R"({"pattern":"b+"})", "\"abbc\""));
    CHECK_FALSE(accepts(R"({"pattern":"^b+$"})", "\"abbc\""));
    CHECK_FALSE(accepts(R"({"pattern":"^[a-z]+$"})", "\"abc\\n\""));
    CHECK_FALSE(accepts(R"({"pattern":"^[a-z]+$"})", "\"abc\\u0000;drop\""));
    CHECK(accepts(R"({"pattern":"^.$"})", "\"🙂\""));
    CHECK(accepts(R"({"pattern":"^\\d{3}\\/x$"})", "\"123/x\""));
    CHECK(accepts(R"({"pattern":"x"})", "7"));
}

TEST_CASE("schema: arrays") {
    CHECK(accepts(R"({"items":{"type":"integer"}})", "[1,2]"));
    CHECK_FALSE(accepts(R"({"items":{"type":"integer"}})", "[1,\"2\"]"));
    CHECK(accepts(R"({"items":[{"type":"integer"},{"type":"string"}]})", "[1,\"a\",null]"));
    CHECK_FALSE(accepts(R"({"items":[{"type":"integer"}],"additionalItems":false})", "[1,2]"));
    CHECK_FALSE(accepts(R"({"items":[true],"additionalItems":{"type":"string"}})", "[1,\"a\",2]"));
    CHECK_FALSE(accepts(R"({"items":false})", "[1]"));
    CHECK(accepts(R"({"items":false})", "[]"));
    CHECK_FALSE(accepts(R"({"minItems":1})", "[]"));
    CHECK_FALSE(accepts(R"({"maxItems":1})", "[1,2]"));
    CHECK(accepts(R"({"contains":{"const":2}})", "[1,2,3]"));
    CHECK_FALSE(accepts(R"({"contains":{"const":2}})", "[1,3]"));
    CHECK(accepts(R"({"uniqueItems":true})", R"([1,"1",[1],{"a":1},{"a":2},true,null])"));
    CHECK_FALSE(accepts(R"({"uniqueItems":true})", R"([{"a":1,"b":2},3,{"b":2.0,"a":1}])"));
}

TEST_CASE("schema: objects") {
    const schema s = compiled(
        R"({"properties":{"a":{"type":"integer"},"b":true},"required":["a"],
            "additionalProperties":false})");
    CHECK(accepts(s, R"({"a":1})"));
    CHECK(accepts(s, R"({"a":1,"b":[]})"));
    CHECK(accepts(s, "[]"));
    CHECK_FALSE(accepts(s, R"({"b":1})"));
    CHECK_FALSE(accepts(s, R"({"a":"1"})"));
    CHECK_FALSE(accepts(s, R"({"a":1,"c":1})"));
    CHECK_FALSE(accepts(s, R"({"a":1,"a\u0000b":1})"));
    CHECK_FALSE(accepts(R"({"additionalProperties":false})", R"({"a":1})"));
    CHECK(accepts(R"({"properties":{"a":{}},"additionalProperties":{"type":"string"}})",
                  R"({"a":1,"b":"x"})"));
    CHECK_FALSE(accepts(R"({"properties":{"a":{}},"additionalProperties":{"type":"string"}})",
                        R"({"a":1,"b":2})"));
    CHECK_FALSE(accepts(R"({"properties":{"a":false}})", R"({"a":1})"));
    CHECK(accepts(R"({"properties":{"a":false}})", R"({"b":1})"));
    CHECK_FALSE(accepts(R"({"minProperties":1})", "{}"));
    CHECK_FALSE(accepts(R"({"maxProperties":0})", R"({"a":1})"));
    CHECK(accepts(R"({"propertyNames":{"pattern":"^[a-z]+$"}})", R"({"ab":1})"));
    CHECK_FALSE(accepts(R"({"propertyNames":{"pattern":"^[a-z]+$"}})", R"({"ab":1,"A":1})"));
    CHECK_FALSE(accepts(R"({"propertyNames":false})", R"({"a":1})"));
    CHECK(accepts(R"({"dependencies":{"a":["b"]}})", R"({"a":1,"b":1})"));
    CHECK_FALSE(accepts(R"({"dependencies":{"a":["b"]}})", R"({"a":1})"));
    CHECK_FALSE(accepts(R"({"dependencies":{"a":{"required":["b"]},"c":{"required":["d"]}}})",
                        R"({"c":1})"));
    CHECK(accepts(R"({"dependencies":{"a":{"required":["b"]},"c":{"required":["d"]}}})",
                  R"({"c":1,"d":1})"));
}

TEST_CASE("schema: combinations") {
    CHECK_FALSE(accepts(R"({"allOf":[{"minimum":1},{"maximum":3}]})", "4"));
    CHECK(accepts(R"({"anyOf":[{"type":"string"},{"minimum":3}]})", "4"));
    CHECK_FALSE(accepts(R"({"anyOf":[{"type":"string"},{"minimum":3}]})", "2"));
    CHECK(accepts(R"({"oneOf":[{"multipleOf":2},{"multipleOf":3}]})", "4"));
    CHECK_FALSE(accepts(R"({"oneOf":[{"multipleOf":2},{"multipleOf":3}]})", "6"));
    CHECK_FALSE(accepts(R"({"oneOf":[{"multipleOf":2},{"multipleOf":3}]})", "7"));
    CHECK_FALSE(accepts(R"({"not":{"type":"string"}})", "\"a\""));
    CHECK(accepts(R"({"not":{"type":"string"}})", "1"));
    const schema s = compiled(
        R"({"if":{"properties":{"kind":{"const":"a"}}},"then":{"required":["x"]},
            "else":{"required":["y"]}})");
    CHECK(accepts(s, R"({"kind":"a","x":1})"));
    CHECK_FALSE(accepts(s, R"({"kind":"a","y":1})"));
    CHECK(accepts(s, R"({"kind":"b","y":1})"));
    CHECK_FALSE(accepts("false", "1"));
    CHECK(accepts("true", "1"));
}

TEST_CASE("schema: the keywords that valijson would give to std::regex work wherever they stand") {
    CHECK_FALSE(accepts(R"({"anyOf":[{"pattern":"^a"},{"format":"uuid"}]})", "\"b\""));
    CHECK(accepts(R"({"anyOf":[{"pattern":"^a"},{"format":"date"}]})", "\"2026-11-22\""));
    CHECK_FALSE(accepts(R"({"items":{"properties":{"d":{"format":"date"}}}})", R"([{"d":"x"}])"));
    CHECK_FALSE(accepts(R"({"not":{"pattern":"^a"}})", "\"a\""));
    CHECK_FALSE(accepts(R"({"contains":{"format":"ipv4"}})", "[\"a\"]"));
    CHECK_FALSE(accepts(R"({"properties":{"a":{"$ref":"#/x/y"}},"x":{"y":{"pattern":"^a$"}}})",
                        R"({"a":"b"})"));
}

TEST_CASE("schema: references, also of a schema to itself") {
    const schema tree = compiled(
        R"({"type":"object","required":["name"],"additionalProperties":false,
            "propertyNames":{"maxLength":8},
            "properties":{"name":{"$ref":"#/definitions/short%20name"},
                          "children":{"items":{"$ref":"#"}}},
            "definitions":{"short name":{"type":"string","maxLength":3}}})");
    CHECK(accepts(tree, R"({"name":"a","children":[{"name":"b","children":[]}]})"));
    CHECK_FALSE(accepts(tree, R"({"name":"a","children":[{"name":"long"}]})"));
    CHECK_FALSE(accepts(tree, R"({"name":"a","children":[{"children":[]}]})"));
    CHECK_FALSE(accepts(tree, R"({"name":"a","children":[{"name":"b","other":1}]})"));
    CHECK(accepts(R"({"$ref":"#/definitions/a~1b","definitions":{"a/b":{"const":1}}})", "1"));
    CHECK_FALSE(accepts(R"({"$ref":"#/definitions/a~1b","definitions":{"a/b":{"const":1}}})", "2"));
    // Draft 7 ignores what stands beside a reference.
    CHECK(accepts(R"({"properties":{"a":{"$ref":"#/definitions/x","maximum":1}},
                      "definitions":{"x":{"type":"integer"}}})",
                  R"({"a":5})"));
}

TEST_CASE("schema: names that are keywords elsewhere are only names among properties") {
    const schema s = compiled(
        R"({"properties":{"$ref":{"type":"integer"},"pattern":{"type":"integer"},
            "leaf":{"type":"integer"},"id":{"type":"integer"},"a/b~":{"type":"integer"}}})");
    CHECK(accepts(s, R"({"$ref":1,"pattern":1,"leaf":1,"id":1,"a/b~":1})"));
    for (const char* name : {"$ref", "pattern", "leaf", "id", "a/b~"})
        CHECK_FALSE(accepts(s, "{\"" + std::string{name} + "\":\"x\"}"));
    CHECK(accepts(R"({"leaf":7,"table":[],"id":3,"x-own":{"pattern":"("}})", "1"));
}

TEST_CASE("schema: may be used from many threads at once") {
    const schema s = compiled(
        R"({"properties":{"a":{"pattern":"^[a-z]+$"},"b":{"format":"date"},
            "c":{"anyOf":[{"type":"null"},{"items":{"maximum":3}}]}}})");
    const auto good = json::to_value(R"({"a":"abc","b":"2026-11-22","c":[1,2,3]})");
    const auto bad = json::to_value(R"({"a":"ABC","b":"x","c":[1,2,4]})");
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&, own = s] {
                for (int i = 0; i < 300; ++i) {
                    if (!own.validate(*good).empty()) ++wrong;
                    if (own.validate(*bad).size() != 3) ++wrong;
                }
            });
    }
    CHECK(wrong == 0);
}
