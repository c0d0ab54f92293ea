// What a JSON Schema asks for, as rows people read: one per member, at every depth.
//
// Paths:   "lines" a member, "lines[]" each element of an array, "lines[].sku" a member of each,
//          "prices.*" a member of any name. The value itself is "".
// Reads:   type, properties, required, items, additionalProperties, enum, const, bounds of numbers,
//          texts and arrays, pattern, format, default, description; $ref within the document;
//          allOf is taken together, of anyOf and oneOf each alternative's own name is said.
// Bounds:  `outline_depth_max` levels and `outline_rows_max` rows; what is left out is a row "…".
// Threads: free function without state.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace flexcore::cli {

inline constexpr std::size_t outline_depth_max = 8;
inline constexpr std::size_t outline_rows_max = 300;

struct outline_row {
    std::string path;
    std::string type;  ///< "string or null", "array"
    bool required = false;
    std::string bounds;  ///< "1 to 200 characters, matches ^[A-Z]+$"
    std::string description;
};

/// The members of an object's schema in their order, each before its own; the elements of arrays
/// have a row of their own unless they are objects, whose members say all.
[[nodiscard]] std::vector<outline_row> outline_of(const boost::json::object& schema);

}  // namespace flexcore::cli
