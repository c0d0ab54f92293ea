// The catalogue of the read models: generations, their models, the tables their rows stand in.
//
// Tables:  see migrations/postgres/0002_read_models.sql. Names of tables are made of numbers alone.
// Threads: those of the connection.
#pragma once

#include "store/postgres/connection.hpp"
#include "store/view_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace flexcore::store::postgres {

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

[[nodiscard]] std::vector<model_table> tables_of(const generation&);

/// The tables that answer reads, as of one state of the catalogue.
struct serving_tables {
    std::int64_t changes = -1;
    std::vector<model_table> models;
    /// Null when there is no such model.
    [[nodiscard]] const model_table* find(std::string_view model) const;
};

/// A statement that reads them, and what it has answered.
[[nodiscard]] std::string serving_tables_text();
[[nodiscard]] result<std::shared_ptr<const serving_tables>> serving_tables_in(const pqxx::result&);

/// By id.
[[nodiscard]] result<std::vector<generation>> read_generations(connection&);

// Within a transaction of the writing session.

/// The transaction's turn to change generations.
[[nodiscard]] result<void> lock_catalogue(connection&);
/// Gives it its id, which was never given before.
[[nodiscard]] result<void> add_generation(connection&, generation&);
/// Its tables are left, for readers of an earlier moment.
[[nodiscard]] result<void> drop_generation(connection&, const generation&);
/// Tells readers to look up again which tables serve.
[[nodiscard]] result<void> catalogue_changed(connection&);

}  // namespace flexcore::store::postgres
