// leaf: the keywords of one schema object that look at one value and need no other schema.
// Private to schema; immutable once compiled, shared by all threads.
#pragma once

#include "schema/formats.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace flexcore::schema_detail {

enum type_bit : std::uint8_t {
    type_null = 1,
    type_boolean = 2,
    type_integer = 4,
    type_number = 8,
    type_string = 16,
    type_array = 32,
    type_object = 64,
};

struct size_limits {
    std::optional<std::uint64_t> min;
    std::optional<std::uint64_t> max;
};

struct leaf {
    bool never = false;                                     ///< the schema `false`
    std::uint8_t types = 0;                                 ///< type_bit; 0: any
    std::optional<std::vector<boost::json::value>> one_of;  ///< enum
    std::optional<boost::json::value> exactly;              ///< const
    std::optional<boost::json::value> minimum, maximum, above, below, multiple_of;
    size_limits characters, elements, members;
    std::string pattern_text;
    std::shared_ptr<const re2::RE2> pattern;
    const format* checked_format = nullptr;
    bool unique_elements = false;
    std::vector<std::string> required;
    /// Who is there asks for the others.
    std::vector<std::pair<std::string, std::vector<std::string>>> dependencies;
    /// additionalProperties false: no other names than these, sorted.
    std::optional<std::vector<std::string>> only_members;
    /// propertyNames: the schema every name must meet, by its number in the rewritten document.
    std::optional<std::size_t> names_schema;
    std::function<bool(const boost::json::value&)> name_accepted;
};

/// What is wrong with the value, or with the member of it that is named.
struct finding {
    std::optional<std::string> member;
    std::string detail;
};

/// With `findings` null the answer comes at the first failure; otherwise all are described.
[[nodiscard]] bool passes(const leaf&, const boost::json::value&, std::vector<finding>* findings);

/// Reads one keyword into `out`. False: `name` is none of a leaf's. A keyword whose value is wrong
/// leaves the reason in `why`.
[[nodiscard]] bool read_leaf_keyword(std::string_view name, const boost::json::value& value,
                                     leaf& out, std::string& why);

/// The names of draft 7's types, null for others.
[[nodiscard]] std::optional<type_bit> type_named(std::string_view) noexcept;
/// "a string", "an integer", …
[[nodiscard]] std::string_view type_with_article(type_bit) noexcept;

}  // namespace flexcore::schema_detail
