#include "store/open.hpp"

#include "store/memory/memory_log.hpp"
#include "store/memory/memory_snapshots.hpp"
#include "store/memory/memory_views.hpp"
#include "store/postgres/database.hpp"
#include "store/postgres/event_log.hpp"
#include "store/postgres/snapshot_store.hpp"
#include "store/postgres/view_store.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/event_log.hpp"
#include "store/sqlite/snapshot_store.hpp"
#include "store/sqlite/view_store.hpp"

#include <fmt/format.h>

namespace flexcore::store {
namespace {

writer_limits limits_of(const store_settings& settings) {
    return {.queue_events_max = settings.queue_events_max,
            .queue_bytes_max = settings.queue_bytes_max,
            .batch_events_max = settings.batch_events_max,
            .batch_bytes_max = settings.batch_bytes_max};
}

/// Read models are made of events that were durable before: when they are further than the log, it
/// has lost some, or is another one. To go on would give their positions out again.
result<void> check_log_reaches(const std::vector<generation>& all, position head,
                               std::string_view what_to_do) {
    for (const auto& one : all) {
        if (one.checkpoint <= head) continue;
        return fail(store_errc::corrupt,
                    fmt::format("events are missing: the log ends at position {}, and projection "
                                "{} has seen {}. {}",
                                head, one.projection, one.checkpoint, what_to_do));
    }
    return {};
}

result<opened_store> open_sqlite(const store_settings& settings, telemetry::metrics& metrics,
                                 telemetry::health_registry& health) {
    auto folder = data_folder::open(settings.data);
    if (!folder) return fail(std::move(folder.error()));
    auto log = sqlite::open_log(
        {.folder = *folder, .limits = limits_of(settings), .wal_bytes_max = settings.wal_bytes_max},
        metrics, health);
    if (!log) return fail(std::move(log.error()));
    auto views = sqlite::open_views({.folder = *folder, .wal_bytes_max = settings.wal_bytes_max});
    if (!views) return fail(std::move(views.error()));
    const auto seen = (*views)->generations();
    if (!seen) return fail(seen.error());
    if (auto ok = check_log_reaches(
            *seen, (*log)->head(),
            "Serve a copy of the latest `flexcore backup` instead; or, to go on with the log as it "
            "is, move views.db, views.db-wal and views.db-shm out of the data folder first");
        !ok)
        return fail(std::move(ok.error()));
    auto snapshots = sqlite::open_snapshots(*folder);
    if (!snapshots) return fail(std::move(snapshots.error()));
    return opened_store{
        .log = std::move(*log),
        .views = std::move(*views),
        .snapshots = std::move(*snapshots),
        .description = fmt::format("{} in {}", sqlite::library_version(), settings.data.string())};
}

result<opened_store> open_postgres(const store_settings& settings, telemetry::metrics& metrics,
                                   telemetry::health_registry& health) {
    auto folder = data_folder::open(settings.data);
    if (!folder) return fail(std::move(folder.error()));
    auto database = postgres::open_database(
        {.url = settings.url,
         .password_file = settings.password_file,
         .schema = settings.schema,
         .connect_timeout = std::chrono::ceil<std::chrono::seconds>(settings.connect_timeout),
         .statement_timeout =
             std::chrono::ceil<std::chrono::milliseconds>(settings.statement_timeout),
         .sessions_max = settings.sessions_max,
         .folder = *folder});
    if (!database) return fail(std::move(database.error()));
    // Before the log's end is read: another server may go on meanwhile.
    auto views = postgres::open_views(database->writing, database->readers);
    const auto seen = views->generations();
    if (!seen) return fail(seen.error());
    auto log = postgres::open_log({.writing = database->writing,
                                   .readers = database->readers,
                                   .known = database->known,
                                   .limits = limits_of(settings)},
                                  metrics, health);
    if (!log) return fail(std::move(log.error()));
    if (auto ok = check_log_reaches(
            *seen, (*log)->head(),
            "Restore a backup of the whole database; or, to go on with the log as it is, drop the "
            "tables of the read models first");
        !ok)
        return fail(std::move(ok.error()));
    return opened_store{.log = std::move(*log),
                        .views = std::move(views),
                        .snapshots = postgres::open_snapshots(database->readers),
                        .far = true,
                        .description = std::move(database->description)};
}

}  // namespace

std::string library_version() { return sqlite::library_version(); }

result<opened_store> open_store(const store_settings& settings, telemetry::metrics& metrics,
                                telemetry::health_registry& health) {
    if (settings.url == "sqlite:") return open_sqlite(settings, metrics, health);
    if (is_postgres_url(settings.url)) return open_postgres(settings, metrics, health);
    if (settings.url == "memory:") {
        return opened_store{.log = memory::open_log(limits_of(settings), metrics),
                            .views = memory::open_views(),
                            .snapshots = memory::open_snapshots(),
                            .description = "memory, nothing is kept"};
    }
    return fail(base_errc::invalid_argument,
                "store.url is neither \"sqlite:\" nor \"postgresql://…\"");
}

}  // namespace flexcore::store
