#include "check.hpp"

using namespace flexcore;

namespace {

std::string refusal(std::string_view text) {
    const auto made = schema::compile(text);
    if (made) return "compiled";
    CHECK(made.error().code == schema_errc::invalid_schema);
    return made.error().client;
}

}  // namespace

TEST_CASE("compile: what is not JSON or not a schema is refused") {
    CHECK(refusal("{").starts_with("the schema is not JSON: byte 1:"));
    CHECK(refusal(R"({"type":"string","type":"null"})").find("appears twice") != std::string::npos);
    CHECK(refusal("1").starts_with("schema at \"\": must be a schema"));
    CHECK(refusal(R"({"properties":{"a":1}})").starts_with("schema at \"/properties/a\": "));
}

TEST_CASE("compile: a refusal names the place") {
    const std::pair<const char*, const char*> wrong[] = {
        {R"({"properties":{"a/b":{"type":"text"}}})", "/properties/a~1b/type"},
        {R"({"type":[]})", "/type"},
        {R"({"type":7})", "/type"},
        {R"({"items":[{},{"pattern":"("}]})", "/items/1/pattern"},
        {R"({"anyOf":[{"pattern":"(?=a)b"}]})", "/anyOf/0/pattern"},
        {R"({"pattern":"(a)\\1"})", "/pattern"},
        {R"({"pattern":7})", "/pattern"},
        {R"({"format":7})", "/format"},
        {R"({"not":{"patternProperties":{}}})", "/not/patternProperties"},
        {R"({"properties":{"a":{"$ref":"http://example.org/x.json"}}})", "/properties/a/$ref"},
        {R"({"$ref":"other.json#/a"})", "/$ref"},
        {R"({"$ref":"#name"})", "/$ref"},
        {R"({"$ref":7})", "/$ref"},
        {R"({"$ref":"#/%zz"})", "/$ref"},
        {R"({"$ref":"#/definitions/none"})", "/definitions/none"},
        {R"({"definitions":{"unused":{"pattern":"["}}})", "/definitions/unused/pattern"},
        {R"({"minLength":-1})", "/minLength"},
        {R"({"minItems":1.5})", "/minItems"},
        {R"({"maxItems":1e30})", "/maxItems"},
        {R"({"minimum":"1"})", "/minimum"},
        {R"({"minimum":1,"exclusiveMinimum":true})", "/exclusiveMinimum"},
        {R"({"multipleOf":0})", "/multipleOf"},
        {R"({"enum":[]})", "/enum"},
        {R"({"enum":"a"})", "/enum"},
        {R"({"required":"a"})", "/required"},
        {R"({"required":[1]})", "/required"},
        {R"({"uniqueItems":1})", "/uniqueItems"},
        {R"({"allOf":[]})", "/allOf"},
        {R"({"oneOf":{}})", "/oneOf"},
        {R"({"properties":[]})", "/properties"},
        {R"({"properties":{"a\u0000b":{}}})", "/properties/a"},
        {R"({"additionalProperties":7})", "/additionalProperties"},
        {R"({"propertyNames":{"maxLength":"x"}})", "/propertyNames/maxLength"},
        {R"({"propertyNames":7})", "/propertyNames"},
        {R"({"dependencies":{"a":[1]}})", "/dependencies/a"},
        {R"({"dependencies":{"a":{"type":"x"}}})", "/dependencies/a/type"},
        {R"({"items":7})", "/items"},
        {R"({"if":7})", "/if"},
        {R"({"prefixItems":[]})", "/prefixItems"},
        {R"({"unevaluatedProperties":false})", "/unevaluatedProperties"},
        {R"({"$schema":"https://json-schema.org/draft/2020-12/schema"})", "/$schema"},
    };
    for (const auto& [text, pointer] : wrong) {
        INFO(text);
        CHECK(refusal(text).starts_with("schema at \"" + std::string{pointer}));
    }
}

TEST_CASE("compile: a schema that applies itself to the same value for ever is refused") {
    for (const char* text :
         {R"({"$ref":"#"})", R"({"allOf":[{"$ref":"#"}]})", R"({"not":{"anyOf":[{"$ref":"#"}]}})",
          R"({"if":{"$ref":"#"}})", R"({"dependencies":{"a":{"$ref":"#"}}})",
          R"({"$ref":"#/definitions/a","definitions":{
                                 "a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}})",
          R"({"properties":{"x":{"$ref":"#/definitions/a"}},"definitions":{
                                 "a":{"oneOf":[{"$ref":"#/definitions/a"}]}}})"}) {
        INFO(text);
        CHECK(refusal(text).find("refers to itself without end") != std::string::npos);
    }
    // Going one level down into the value each time ends with the value.
    CHECK(refusal(R"({"properties":{"a":{"$ref":"#"}},"items":{"$ref":"#"}})") == "compiled");
}

TEST_CASE("compile: the text is kept as it came") {
    CHECK(compiled(" { \"type\" : \"string\" } ").text() == " { \"type\" : \"string\" } ");
}

TEST_CASE("compile: annotations and the own keywords of authors say nothing about values") {
    CHECK(refusal(R"({"$schema":"http://json-schema.org/draft-07/schema#","$id":"https://x/y",
                      "title":"T","description":"D","default":1,"examples":[1],"readOnly":true,
                      "contentEncoding":"base64","x-own":[],"$comment":"c"})") == "compiled");
}

TEST_CASE("property_type: what a top-level property declares") {
    const schema s = compiled(
        R"({"properties":{"limit":{"type":"integer"},"q":{"type":["string","null"]},
            "any":{},"two":{"type":["string","integer"]},"yes":true,
            "ref":{"$ref":"#/definitions/flag"}},
            "definitions":{"flag":{"type":"boolean"}}})");
    CHECK(s.property_type("limit") == "integer");
    CHECK(s.property_type("q") == "string");
    CHECK(s.property_type("ref") == "boolean");
    for (const char* name : {"any", "two", "yes", "none", ""}) CHECK(s.property_type(name).empty());
    CHECK(compiled("true").property_type("a").empty());
}
