// database: PostgreSQL as a store needs it: reached, suited, migrated, known.
#pragma once

#include "store/data_folder_impl.hpp"
#include "store/postgres/sessions.hpp"
#include "store/postgres/standing.hpp"

#include <memory>

namespace flexcore::store::postgres {

struct database_settings {
    std::string url;
    std::string password_file;
    std::string schema = "flexcore";
    std::chrono::seconds connect_timeout{5};
    std::chrono::milliseconds statement_timeout{30'000};
    std::size_t sessions_max = 8;  ///< that read; two more write
    std::shared_ptr<data_folder> folder;
};

struct database {
    connection_settings writing;
    std::shared_ptr<sessions> readers;
    std::shared_ptr<standing> known;
    std::string description;  ///< "PostgreSQL 15.18 at postgresql://db:5432/shop, schema flexcore"
};

/// False when a pooler in transaction mode stands between: it hands each transaction another
/// session.
[[nodiscard]] result<bool> keeps_sessions(connection&, const connection_settings&);
/// What is said then.
[[nodiscard]] error breaks_sessions(const std::string& place);

/// Errors: those of `read_conninfo`, `connection`, `migrate` and `standing`; unavailable when a
/// pooler in transaction mode stands between.
[[nodiscard]] result<database> open_database(const database_settings&);

}  // namespace flexcore::store::postgres
