#include "cli/schema_outline.hpp"

#include <fmt/format.h>
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

using namespace flexcore::cli;

namespace {

/// "path: type, required, bounds" per row.
std::vector<std::string> rows_of(const char* schema) {
    std::vector<std::string> all;
    for (const outline_row& one : outline_of(boost::json::parse(schema).as_object()))
        all.push_back(fmt::format("{}: {}{}{}{}", one.path, one.type, one.required ? "!" : "",
                                  one.bounds.empty() ? "" : " | ", one.bounds));
    return all;
}
using rows = std::vector<std::string>;

}  // namespace

TEST_CASE("schema outline: members, with the elements of arrays and what those must contain") {
    CHECK(rows_of(R"({"type":"object","required":["lines"],"properties":{
            "note":{"type":["string","null"],"maxLength":20},
            "lines":{"type":"array","minItems":1,"maxItems":10,"items":{"type":"object",
              "required":["sku"],"properties":{
                "sku":{"type":"string","pattern":"^[0-9]+$","minLength":1,"maxLength":9},
                "count":{"type":"integer","minimum":1}}}},
            "tags":{"type":"array","uniqueItems":true,"items":{"type":"string","enum":["a","b"]}},
            "grid":{"type":"array","items":{"type":"array","items":{"type":"number"}}}}})") ==
          rows{"note: string or null | at most 20 characters", "lines: array! | 1 to 10 elements",
               "lines[].sku: string! | 1 to 9 characters, matches ^[0-9]+$",
               "lines[].count: integer | at least 1", "tags: array | no two alike",
               "tags[]: string | one of \"a\", \"b\"", "grid: array", "grid[]: array",
               "grid[][]: number"});
}

TEST_CASE("schema outline: nested objects, members of any name, bounds of every kind") {
    CHECK(rows_of(R"({"properties":{
            "address":{"type":"object","properties":{"zip":{"type":"string","minLength":5,
              "maxLength":5}},"required":["zip"]},
            "prices":{"additionalProperties":{"type":"number","exclusiveMinimum":0,
              "multipleOf":0.5}},
            "at":{"type":"string","format":"date-time","default":"now"},
            "kind":{"const":1},"any":true}})") ==
          rows{"address: object", "address.zip: string! | 5 characters",
               "prices: ", "prices.*: number | above 0, a multiple of 0.5",
               "at: string | date-time, default \"now\"", "kind:  | is 1", "any: "});
}

TEST_CASE("schema outline: references within the document and alternatives") {
    CHECK(rows_of(R"({"definitions":{"line":{"type":"object","title":"line","properties":{
              "sku":{"type":"string"}}}},
            "properties":{
              "first":{"$ref":"#/definitions/line","description":"of many"},
              "all":{"items":{"$ref":"#/definitions/line"}},
              "one":{"oneOf":[{"$ref":"#/definitions/line"},{"type":"string"},
                {"type":"string"}]},
              "odd":{"$ref":"#/definitions/none"}},
            "allOf":[{"properties":{"also":{"type":"boolean"}}}]})") ==
          rows{"first: object", "first.sku: string", "all: array", "all[].sku: string",
               "one: line or string", "one.sku: string", "odd: ", "also: boolean"});
    CHECK(outline_of(boost::json::parse(R"({"properties":{"a":{"$ref":"#/d","description":"its"}},
            "d":{"description":"of all"}})")
                         .as_object())
              .at(0)
              .description == "its");
}

TEST_CASE("schema outline: a schema that holds itself ends, and says that there is more") {
    const auto tree = rows_of(R"({"properties":{"left":{"$ref":"#"},"right":{"$ref":"#"}}})");
    CHECK(tree.size() <= outline_rows_max + 1);
    CHECK(tree.back().starts_with("…"));
    CHECK(rows_of(R"({"$ref":"#"})").empty());
    std::string ring = R"({"allOf":[{"$ref":"#"})";
    for (int i = 0; i < 50; ++i) ring += R"(,{"$ref":"#"})";
    CHECK(rows_of((ring + "]}").c_str()) == rows{"…: "});
    std::string wide = R"({"properties":{)";
    for (std::size_t i = 0; i < outline_rows_max + 5; ++i)
        wide += fmt::format(R"({}"m{}":{{}})", i == 0 ? "" : ",", i);
    CHECK(rows_of((wide + "}}").c_str()).size() == outline_rows_max + 1);
}
