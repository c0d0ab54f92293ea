// What read-model scans mean, once for all backends: values of fields, their order, cursors.
//
// Values:  null (also a missing field, an array or an object) < numbers < text. Booleans are the
//          numbers 0 and 1. Text compares bytewise. `lt`, `le`, `gt`, `ge` only meet values of
//          their own kind, so a price above 5 is never a text.
// Cursors: opaque text; the values the page ended with, bound to model, conditions and order.
// Threads: free functions without state.
#pragma once

#include "store/view_store.hpp"

#include <compare>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

inline constexpr std::size_t scan_rows_max = 1000;

/// Checks names of the model and its fields; fields may be any text without quotes and controls.
[[nodiscard]] result<void> check_models(const std::vector<model_spec>&);
/// Limit, known fields, comparable values.
[[nodiscard]] result<void> check_scan(const model_spec&, const scan_query&);

/// The values of `fields` in a row, in that order. Fails when `json` is not a JSON object.
[[nodiscard]] result<std::vector<scalar>> indexed_values(std::string_view json,
                                                         const std::vector<std::string>& fields);
/// Booleans become numbers; everything else stays.
[[nodiscard]] scalar normalized(scalar);

/// The total order above; both sides normalized.
[[nodiscard]] std::strong_ordering compare_scalars(const scalar&, const scalar&) noexcept;
[[nodiscard]] bool holds(const scan_query::condition&, const scalar& value) noexcept;

/// Where a page ended: the values of the query's order fields, and the key.
struct scan_place {
    std::vector<scalar> values;
    std::string key;
};
[[nodiscard]] std::string encode_cursor(std::string_view model, const scan_query&,
                                        const scan_place&);
[[nodiscard]] result<scan_place> decode_cursor(std::string_view model, const scan_query&,
                                               std::string_view cursor);

}  // namespace flexcore::store
