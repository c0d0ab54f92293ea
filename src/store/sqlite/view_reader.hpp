// view_snapshot_reader: one read-only connection to views.db; between begin and end it shows one
// moment.
//
// Threads: one at a time; the reader pool sees to it.
#pragma once

#include "store/sqlite/view_tables.hpp"

#include <memory>

namespace flexcore::store::sqlite {

class view_snapshot_reader {
public:
    [[nodiscard]] static result<std::unique_ptr<view_snapshot_reader>> open(
        const connection_settings&);

    /// Takes the snapshot, and looks up which tables serve when that has changed.
    [[nodiscard]] result<void> begin();
    [[nodiscard]] result<void> end();
    [[nodiscard]] const std::string& file() const noexcept { return db_.file(); }
    [[nodiscard]] view_tables& tables() noexcept { return tables_; }

private:
    explicit view_snapshot_reader(connection db) : db_{std::move(db)}, tables_{db_} {}

    connection db_;
    view_tables tables_;
    statement begin_, commit_, changes_;
    std::int64_t changes_seen_ = -1;
};

}  // namespace flexcore::store::sqlite
