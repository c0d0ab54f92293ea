// Snapshots in memory, for unit tests of the modules above.
//
// Threads: as snapshot_store; one mutex guards everything.
#pragma once

#include "store/snapshot_store.hpp"

#include <memory>

namespace flexcore::store::memory {

[[nodiscard]] std::unique_ptr<snapshot_store> open_snapshots();

}  // namespace flexcore::store::memory
