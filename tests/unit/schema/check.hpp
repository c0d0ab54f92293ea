// Shorthands of the schema tests.
#pragma once

#include "base/json.hpp"
#include "schema/schema.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

inline flexcore::schema compiled(std::string_view text) {
    auto made = flexcore::schema::compile(text);
    INFO(text);
    if (!made) FAIL(made.error().client);
    return *made;
}

inline std::vector<flexcore::violation> violations_of(const flexcore::schema& schema,
                                                      std::string_view json) {
    const auto value = flexcore::json::to_value(json);
    INFO(json);
    REQUIRE(value);
    return schema.validate(*value);
}

inline bool accepts(const flexcore::schema& schema, std::string_view json) {
    return violations_of(schema, json).empty();
}
inline bool accepts(std::string_view schema, std::string_view json) {
    return accepts(compiled(schema), json);
}

/// "pointer: detail" of each violation, one a line.
inline std::string told(std::string_view schema, std::string_view json) {
    std::string out;
    for (const auto& v : violations_of(compiled(schema), json))
        out += (out.empty() ? "" : "\n") + v.pointer + ": " + v.detail;
    return out;
}
