// How the value of an indexed field stands in its column: as bytes whose order is that of
// row_query_impl.hpp.
//
// Shape:   a byte for the kind (null < negative < zero < positive < text), then the number or the
//          text. Numbers that are equal have equal bytes, whether they came as integer or not.
// Why:     one column, one index and one comparison for values of every kind; no collation, no
//          type of PostgreSQL has a say in it; a text may hold U+0000, which type text cannot.
// Limit:   an entry of an index has at most 2,704 bytes. A text of more than `text_bytes_max` is
//          kept as that many and a hash of all: it is found, and has one place among the others
//          that begin with the same bytes, if not that of its rest.
// Threads: free functions without state.
#pragma once

#include "store/row_query_impl.hpp"

#include <string>

namespace flexcore::store::postgres {

inline constexpr std::size_t text_bytes_max = 1'000;

/// `value` is normalized.
[[nodiscard]] std::string column_bytes(const scalar& value);

/// Below all numbers, above all numbers: ends of what a comparison with a number or text may meet.
inline constexpr char first_number = '\x02';
inline constexpr char first_text = '\x05';

}  // namespace flexcore::store::postgres
