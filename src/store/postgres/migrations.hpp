// Brings a schema of the database to this program's version.
//
// Everything in one transaction under an advisory lock of this schema: servers that start together
// apply each migration once, and one that dies in the middle leaves nothing.
// Errors: newer_schema as for SQLite; else those of `connection`.
#pragma once

#include "store/migration_file_impl.hpp"
#include "store/postgres/connection.hpp"

namespace flexcore::store::postgres {

/// Embedded by CMake, by number.
[[nodiscard]] const std::vector<embedded_file>& migrations();

/// Creates the schema when it is absent. invalid_argument when the database is not in UTF-8.
[[nodiscard]] result<void> migrate(connection&);

}  // namespace flexcore::store::postgres
