// The event log on SQLite: events.db in the data folder.
//
// Lifetime: metrics and health registry outlive it. It holds the folder's lock.
// Errors of opening: newer_schema, corrupt (the text names the file), unavailable, full.
#pragma once

#include "store/data_folder_impl.hpp"
#include "store/event_log.hpp"
#include "store/log_writer_impl.hpp"
#include "telemetry/health.hpp"

#include <memory>

namespace flexcore::store::sqlite {

struct event_log_settings {
    std::shared_ptr<data_folder> folder;
    writer_limits limits;
    std::uint64_t wal_bytes_max = 32u << 20;
    const char* vfs = nullptr;  ///< null: SQLite's default; tests bring their own
    log_writer::clock clock = now_unix_us;
};

[[nodiscard]] result<std::unique_ptr<event_log>> open_log(const event_log_settings&,
                                                          telemetry::metrics&,
                                                          telemetry::health_registry&);

}  // namespace flexcore::store::sqlite
