// A JSON schema, and behind a NUL a value for it.
#include "schema/schema.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "fuzz/target.hpp"

#include <algorithm>

namespace {
using namespace flexcore;
using fuzz::require;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const std::size_t cut = std::min(text.find('\0'), text.size());
    const auto compiled = schema::compile(text.substr(0, cut));
    if (!compiled) {
        require(!compiled.error().client.empty(), "a refusal says why");
        return 0;
    }
    require(compiled->text() == text.substr(0, cut), "the text is kept as it came");
    require(compiled->property_type("no such name \x01").empty(), "no type of what is not there");
    const auto value = json::to_value(text.substr(std::min(cut + 1, text.size())));
    if (!value) return 0;
    const auto violations = compiled->validate(*value);
    require(violations.size() <= 20, "at most 20 violations");
    for (const auto& one : violations) {
        require(one.pointer.empty() || one.pointer.front() == '/', "a JSON pointer");
        require(is_utf8(one.pointer) && is_utf8(one.detail), "texts can be shown");
    }
    const auto again = schema::compile(compiled->text());
    require(again.has_value(), "a schema compiles twice");
    require(again->validate(*value).size() == violations.size(), "the same verdict twice");
    return 0;
}
