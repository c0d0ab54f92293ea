// schema: a compiled JSON Schema (draft 7), checked against values of requests and settings.
//
// valijson does the walking. Its regular expressions (`pattern`, `format`, `patternProperties`)
// never run: `pattern` is checked with RE2, the known formats with code of ours.
// Threads:  a `schema` is immutable and may be shared; each thread keeps its own validator inside.
// Errors:   schema_errc::invalid_schema at compile; validate answers pointers, not an error.
#pragma once

#include "base/result.hpp"

#include <boost/json/value.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore {

enum class schema_errc {
    invalid_schema = 1,  ///< not a schema, or uses what we refuse; the text says where
    invalid_value,       ///< the value breaks the schema
};
std::error_code make_error_code(schema_errc) noexcept;

struct violation {
    std::string pointer;  ///< RFC 6901, "" is the whole value: "/lines/0/quantity"
    std::string detail;   ///< "must be at least 1"
};

class schema {
public:
    /// `text` is JSON; remote `$ref` is refused.
    [[nodiscard]] static result<schema> compile(std::string_view text);

    /// Empty: valid. At most 20 violations.
    [[nodiscard]] std::vector<violation> validate(const boost::json::value&) const;
    /// The schema's own text, as it came.
    [[nodiscard]] const std::string& text() const noexcept;
    /// For query strings: the type a top-level property declares ("integer", "number", "boolean",
    /// "string", "array"), empty when it declares none or does not exist.
    [[nodiscard]] std::string_view property_type(std::string_view name) const noexcept;

private:
    struct state;
    std::shared_ptr<const state> state_;
};

/// validation_failed with `errors:[{"pointer","detail"}]`, each pointer prefixed.
[[nodiscard]] error violations_to_error(const std::vector<violation>&, std::string_view prefix);

}  // namespace flexcore

template <>
struct std::is_error_code_enum<flexcore::schema_errc> : std::true_type {};
