// The view store on SQLite: views.db in the data folder.
//
// Derived: everything in it can be made again from the log. So commits do not wait for the disk
//          (synchronous=NORMAL: consistent after a power loss, if perhaps a little old), and a
//          file that cannot be read is moved aside (views.db.damaged-<time>) and begun anew.
// Errors of opening: newer_schema, unavailable, full.
#pragma once

#include "store/data_folder_impl.hpp"
#include "store/view_store.hpp"

#include <memory>

namespace flexcore::store::sqlite {

struct view_store_settings {
    std::shared_ptr<data_folder> folder;
    std::uint64_t wal_bytes_max = 32u << 20;
    const char* vfs = nullptr;  ///< null: SQLite's default; tests bring their own
};

[[nodiscard]] result<std::unique_ptr<view_store>> open_views(const view_store_settings&);

}  // namespace flexcore::store::sqlite
