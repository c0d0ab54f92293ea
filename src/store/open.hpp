// Opens a store by its URL: the only door to the backends.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/event_log.hpp"
#include "store/snapshot_store.hpp"
#include "store/view_store.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace flexcore::store {

struct store_settings {
    /// "sqlite:" (files in `data`), "postgresql://…" or "memory:" (tests)
    std::string url = "sqlite:";
    std::filesystem::path data;              ///< folder; made when absent
    std::size_t queue_events_max = 100'000;  ///< waiting appends beyond this are refused busy
    std::size_t queue_bytes_max = 64u << 20;
    std::size_t batch_events_max = 10'000;  ///< per commit
    std::size_t batch_bytes_max = 8u << 20;
    std::uint64_t wal_bytes_max = 32u << 20;  ///< SQLite: checkpoint the WAL beyond this
    // PostgreSQL:
    std::string schema = "flexcore";  ///< made when absent
    std::string password_file;        ///< its first line; empty: none
    monotonic::duration connect_timeout = std::chrono::seconds{5};
    monotonic::duration statement_timeout = std::chrono::seconds{10};
    std::size_t sessions_max = 8;  ///< that read; others write
};

struct opened_store {
    std::unique_ptr<event_log> log;
    std::unique_ptr<view_store> views;
    std::unique_ptr<snapshot_store> snapshots;
    bool far = false;         ///< each read is a round trip: not for a thread that serves many
    std::string description;  ///< for a person: "SQLite 3.40.1 in /var/lib/…"
};

/// "postgresql://…" or "postgres://…".
[[nodiscard]] inline bool is_postgres_url(std::string_view url) noexcept {
    return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

/// Of the default backend's library in use: "SQLite 3.40.1".
[[nodiscard]] std::string library_version();

/// Takes the data folder's lock, applies migrations, recovers, starts the writer.
/// Errors: locked, newer_schema, corrupt, unavailable, full, base_errc::invalid_argument (URL).
[[nodiscard]] result<opened_store> open_store(const store_settings&, telemetry::metrics&,
                                              telemetry::health_registry&);

}  // namespace flexcore::store
