// The catalogue of views.db: generations, their models, the tables their rows stand in.
//
// Tables:  rows_<generation>_<number>(tenant, key, position, row, f0, f1, …). Each indexed field
//          has a column of its own, filled here, with an index (tenant, field, key): filled once
//          by one pass over the row, with the same meaning as on every other backend; SQLite's own
//          json_extract would parse the row again for each field and misses escaped names.
// Null:    stands in a column as minus infinity, which JSON cannot carry: so every comparison of
//          a scan has an answer and every order can be entered in the middle by its index.
// Threads: those of the connection.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/view_store.hpp"

#include <map>
#include <string>
#include <vector>

namespace flexcore::store::sqlite {

/// A model and where its rows are.
struct model_table {
    model_spec spec;
    generation_id owner = 0;
    std::uint32_t number = 0;

    [[nodiscard]] std::string table() const;
    /// The column of a declared field.
    [[nodiscard]] std::string column(std::string_view field) const;
    [[nodiscard]] static std::string column(std::size_t field);
};

/// Models by name; several generations may have one of the same name.
using model_tables = std::vector<model_table>;

/// Binds a value of an indexed field; `value` is normalized and outlives the next reset.
void bind_scalar(statement&, int at, const scalar& value);
/// The value of a field's column.
[[nodiscard]] scalar column_scalar(const statement&, int column);

[[nodiscard]] result<std::vector<generation>> read_generations(connection&);
[[nodiscard]] result<model_tables> read_serving_models(connection&);
[[nodiscard]] model_tables tables_of(const generation&);

// Within a transaction of the writing connection.

[[nodiscard]] result<generation_id> add_generation(connection&, const generation&);
[[nodiscard]] result<void> drop_generation(connection&, const generation&);
/// Tells readers to look up again which tables serve.
[[nodiscard]] result<void> catalogue_changed(connection&);

}  // namespace flexcore::store::sqlite
