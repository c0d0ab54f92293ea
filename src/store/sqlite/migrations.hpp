// Brings a database to this program's schema.
//
// Errors: newer_schema when the database knows a migration this program does not, or one with
//         another content; corrupt when the file is a database of something else.
#pragma once

#include "store/migration_file_impl.hpp"
#include "store/sqlite/connection.hpp"

#include <vector>

namespace flexcore::store::sqlite {

/// Embedded by CMake, by number.
[[nodiscard]] const std::vector<embedded_file>& event_migrations();
[[nodiscard]] const std::vector<embedded_file>& view_migrations();
[[nodiscard]] const std::vector<embedded_file>& snapshot_migrations();

/// Applies what is missing, each in one transaction. `application` is the database's kind: a file
/// that carries another application_id is refused.
[[nodiscard]] result<void> migrate(connection&, const std::vector<embedded_file>&,
                                   std::uint32_t application);

inline constexpr std::uint32_t event_log_application = 0x46434c31;       // "FCL1"
inline constexpr std::uint32_t view_store_application = 0x46435631;      // "FCV1"
inline constexpr std::uint32_t snapshot_store_application = 0x46435331;  // "FCS1"

}  // namespace flexcore::store::sqlite
