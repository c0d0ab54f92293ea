// rewrite: turns a draft 7 schema into one that valijson can walk safely.
//
// Kept for valijson: what applies schemas to values (allOf, properties, items, if, …), with every
// `$ref` pointing into one table of ours. Everything that looks at a single value goes into a
// `leaf`, named in the rewritten schema by its number under the keyword `leaf`.
// Private to schema.
#pragma once

#include "schema/leaf.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore::schema_detail {

inline constexpr std::string_view leaf_keyword = "leaf";
inline constexpr std::string_view table_keyword = "table";

struct rewritten {
    /// {"table": {"0": the whole schema, "1": …}}; see `document_for`.
    boost::json::object table;
    std::deque<leaf> leaves;
};

/// What is wrong with a schema and where.
struct refusal {
    std::string pointer;
    std::string why;
};

/// On a refusal the answer is empty and `why_not` is set.
[[nodiscard]] std::optional<rewritten> rewrite(const boost::json::value& schema, refusal& why_not);

/// A document whose root schema is the table's entry `number`.
[[nodiscard]] boost::json::value document_for(const rewritten&, std::size_t number);

/// What a local `$ref` points to; null when it does not point into `root`.
[[nodiscard]] const boost::json::value* referred(const boost::json::value& root,
                                                 const boost::json::value& ref);

/// "/a~1b" from "" and "a/b" (RFC 6901).
[[nodiscard]] std::string pointer_to(std::string_view parent, std::string_view name);

}  // namespace flexcore::schema_detail
