// The snapshots in PostgreSQL: see snapshot_store.hpp for what is promised.
#pragma once

#include "store/postgres/sessions.hpp"
#include "store/snapshot_store.hpp"

#include <memory>

namespace flexcore::store::postgres {

/// `shared` outlives it. The schema is migrated already.
[[nodiscard]] std::unique_ptr<snapshot_store> open_snapshots(std::shared_ptr<sessions> shared);

}  // namespace flexcore::store::postgres
