// Reads of a read model as SQL, with their values in the text.
#pragma once

#include "store/postgres/view_catalogue.hpp"
#include "store/row_query_impl.hpp"

#include <optional>
#include <string>

namespace flexcore::store::postgres {

// Texts that cannot be stored are not there: is_storable(tenant) and (key) come first.

/// Rows: one; row and position, NULL when there is none, and how often the catalogue had changed.
[[nodiscard]] std::string get_text(const model_table&, std::string_view tenant,
                                   std::string_view key);
[[nodiscard]] std::optional<row> row_in(const pqxx::result&, std::string_view key);
[[nodiscard]] std::int64_t changes_in(const pqxx::result&);

/// Rows: changed_at.
[[nodiscard]] std::string changed_at_text(const model_table&);

/// Rows: key, row, position; one more than the page holds when there are more. Checks the query
/// and its cursor.
[[nodiscard]] result<std::string> scan_text(const model_table&, std::string_view tenant,
                                            const scan_query&);
[[nodiscard]] result<row_page> page_in(const pqxx::result&, const model_table&, const scan_query&);

}  // namespace flexcore::store::postgres
