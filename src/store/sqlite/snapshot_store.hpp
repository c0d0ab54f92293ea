// Snapshots on SQLite: snapshots.db in the data folder.
//
// Derived: commits do not wait for the disk, and a file that cannot be read is moved aside
//          (snapshots.db.damaged-<time>) and begun anew, at once when it is met in use.
// Threads: as snapshot_store; one connection behind a mutex: a look-up takes some 20 µs, once per
//          aggregate that is loaded.
// Errors of opening: newer_schema. Anything else leaves a store that keeps nothing.
#pragma once

#include "store/data_folder_impl.hpp"
#include "store/snapshot_store.hpp"

#include <memory>

namespace flexcore::store::sqlite {

[[nodiscard]] result<std::unique_ptr<snapshot_store>> open_snapshots(std::shared_ptr<data_folder>);

}  // namespace flexcore::store::sqlite
