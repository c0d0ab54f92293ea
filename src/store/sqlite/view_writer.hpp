// view_writer: the one writing and checkpointing connection to views.db.
//
// Threads: the projector's; one transaction at a time.
// Failure: a statement the disk refuses ends the transaction; the next call opens anew.
#pragma once

#include "store/sqlite/view_tables.hpp"

#include <memory>

namespace flexcore::store::sqlite {

class view_writer {
public:
    /// Opens, migrates, reads the catalogue and looks for damage (corrupt); the file is made when
    /// absent.
    [[nodiscard]] static result<std::unique_ptr<view_writer>> open(const connection_settings&,
                                                                   std::uint64_t wal_bytes_max);
    ~view_writer();
    view_writer(const view_writer&) = delete;
    view_writer& operator=(const view_writer&) = delete;

    [[nodiscard]] result<std::vector<generation>> generations();
    [[nodiscard]] result<generation> create(std::string_view projection, std::uint32_t version,
                                            const std::vector<model_spec>&);
    [[nodiscard]] result<void> serve(generation_id);
    [[nodiscard]] result<void> drop(generation_id);
    [[nodiscard]] result<void> set_paused(std::string_view projection, bool);
    [[nodiscard]] result<void> set_stopped(generation_id, std::string_view why);
    [[nodiscard]] result<std::unique_ptr<view_transaction>> begin(generation_id, position expected);
    /// Empties the WAL and closes. Idempotent.
    void stop();

private:
    struct session;
    class transaction;

    view_writer(connection_settings settings, std::uint64_t wal_bytes_max)
        : settings_{std::move(settings)}, wal_bytes_max_{wal_bytes_max} {}
    [[nodiscard]] result<void> connect();
    /// The open connection, opened anew after a failure; refused while a transaction is open.
    [[nodiscard]] result<session*> idle();
    /// Runs `change` in one transaction and tells readers to look at the catalogue again.
    template <class Change>
    [[nodiscard]] result<void> change_catalogue(Change change);

    const connection_settings settings_;
    const std::uint64_t wal_bytes_max_;
    std::shared_ptr<session> session_;
    bool stopped_ = false;
};

}  // namespace flexcore::store::sqlite
