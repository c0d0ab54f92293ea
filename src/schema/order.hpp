// Equality of JSON values as JSON Schema means it: 1 equals 1.0, the order of members does not
// count. Private to schema.
#pragma once

#include <boost/json/value.hpp>

#include <compare>

namespace flexcore::schema_detail {

/// The value of any JSON number; 64-bit integers stay exact.
[[nodiscard]] long double number_of(const boost::json::value&) noexcept;

/// A total order, so that equal values can be found by sorting.
[[nodiscard]] std::weak_ordering compare(const boost::json::value&, const boost::json::value&);

/// True when no two elements are equal; n log n comparisons.
[[nodiscard]] bool all_different(const boost::json::array&);

}  // namespace flexcore::schema_detail
