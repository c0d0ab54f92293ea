// The statements by which a generation's writer reads and writes rows.
//
// Threads: free functions without state.
#pragma once

#include "store/postgres/view_catalogue.hpp"

#include <string>
#include <vector>

namespace flexcore::store::postgres {

/// $1 tenant, $2 key. Rows: row, position.
[[nodiscard]] std::string point_read_text(const model_table&);

/// Writes what a transaction has gathered, and moves the checkpoint, or does nothing when the
/// generation is not where the writer knows it. Rows: one, with 1 when it was written.
///
/// $1 checkpoint and $2 commits expected, $3 the new checkpoint; then for each model
///   of the rows put:     tenants, keys, positions, rows, one array for each indexed field
///   of the rows removed: tenants, keys, positions (0: the change is in the last one already)
///   the position of the model's last change as far as known, 0 when there was none.
/// One statement, so one round trip and one transaction. It is the same whatever was gathered, so
/// it is planned once.
[[nodiscard]] std::string commit_text(generation_id, const std::vector<model_table>&);

}  // namespace flexcore::store::postgres
