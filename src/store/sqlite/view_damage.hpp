// Damage in views.db: found, noted, and got out of the way. The read models are made again from
// the log, so nothing is mended here.
//
// Threads: those of the connection; `note_damage` any.
#pragma once

#include "store/sqlite/connection.hpp"
#include "store/view_store.hpp"

#include <filesystem>
#include <vector>

namespace flexcore::store::sqlite {

/// Looks for damage without reading everything: a small database as a whole, of a large one both
/// ends of each generation's tables and indexes. Error: corrupt.
[[nodiscard]] result<void> check_views(connection&, const std::vector<generation>&);

/// Damage was met while the store was in use: the next opening begins anew. Logged once.
void note_damage(const std::filesystem::path& database, const error& met);
[[nodiscard]] bool damage_noted(const std::filesystem::path& database);

/// Renames the database and what belongs to it, so that a person can look at it later.
[[nodiscard]] result<void> move_aside(const std::filesystem::path& database);

}  // namespace flexcore::store::sqlite
