#include "store/sqlite/connection.hpp"

#include "store/sqlite/page_seal.hpp"

#include <fmt/format.h>

#include <mutex>

namespace flexcore::store::sqlite {
namespace {

constexpr int busy_timeout_ms = 5000;

/// SQLite's memory statistics take a process-wide lock at each allocation.
void configure_library() {
    static std::once_flag once;
    std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

std::string client_text(store_errc code, const std::string& file, std::uint64_t page = 0) {
    const auto name = std::filesystem::path{file}.filename().string();
    switch (code) {
        case store_errc::full:
            return "no space is left for the store";
        case store_errc::corrupt:
            return page == 0 ? fmt::format("the store's file {} is damaged", name)
                             : fmt::format("the store's file {} is damaged at page {}", name, page);
        default:
            return fmt::format("the store's file {} cannot be used at the moment", name);
    }
}

/// A pragma that cannot be obeyed is passed over in silence: on a file system without shared memory
/// the journal stays another one, and what the log promises of commits and readers would not hold.
result<void> check_promises(connection& db, bool durable_commits) {
    auto journal = db.prepare("PRAGMA journal_mode");
    if (!journal) return fail(std::move(journal.error()));
    if (const int code = journal->step(); code != SQLITE_ROW) {
        return fail(db.failure(code, "read the journal mode"));
    }
    const auto synchronous = db.integer("PRAGMA synchronous");
    if (!synchronous) return fail(synchronous.error());
    constexpr std::int64_t normal = 1;
    constexpr std::int64_t full = 2;
    if (journal->text(0) == "wal" && *synchronous == (durable_commits ? full : normal)) return {};
    return fail(store_errc::unavailable, client_text(store_errc::unavailable, db.file()),
                fmt::format("{}: SQLite did not take the settings asked for: journal_mode={}, "
                            "synchronous={}",
                            db.file(), journal->text(0), *synchronous));
}

}  // namespace

error connection::failure(int code, std::string_view attempted) const {
    const int extended = sqlite3_extended_errcode(get());
    if ((extended & 0xff) == (code & 0xff)) code = extended;
    const std::uint64_t page = take_damaged_page();
    if (code == SQLITE_IOERR_DATA) {
        return {store_errc::corrupt, client_text(store_errc::corrupt, file_, page),
                fmt::format("{}: {}: page {} is not what was written", file_, attempted, page)};
    }
    auto ours = store_errc::unavailable;
    switch (code & 0xff) {
        case SQLITE_FULL:
            ours = store_errc::full;
            break;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            ours = store_errc::corrupt;
            break;
        default:
            break;
    }
    return {ours, client_text(ours, file_),
            fmt::format("{}: {}: {} ({})", file_, attempted, sqlite3_errmsg(get()), code)};
}

result<connection> connection::open(const connection_settings& settings) {
    configure_library();
    connection made;
    made.file_ = settings.file.string();
    const bool writes = settings.mode == access::read_write;
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(made.file_.c_str(), &handle, flags, sealing_vfs(settings.vfs));
    made.handle_.reset(handle);
    if (code != SQLITE_OK) return fail(made.failure(code, "open"));
    if (writes) reserve_seals(handle);
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    // Only the writing connection checkpoints, also when a connection is closed.
    if (!writes) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);

    std::string pragmas = fmt::format(
        "PRAGMA cache_size=-{};PRAGMA temp_store=MEMORY;PRAGMA wal_autocheckpoint=0;"
        "PRAGMA trusted_schema=OFF;",
        settings.cache_kib);
    if (writes) {
        // recursive_triggers: else INSERT OR REPLACE deletes without asking the triggers.
        pragmas += fmt::format(
            "PRAGMA journal_mode=WAL;PRAGMA synchronous={};PRAGMA secure_delete=OFF;"
            "PRAGMA recursive_triggers=ON;",
            settings.durable_commits ? "FULL" : "NORMAL");
    }
    if (auto ok = made.execute(pragmas.c_str()); !ok) return fail(std::move(ok.error()));
    if (writes) {
        if (auto ok = check_promises(made, settings.durable_commits); !ok) {
            return fail(std::move(ok.error()));
        }
    }
    return made;
}

result<void> connection::prepare(statement& out, std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v3(get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    out = statement{prepared};
    if (code != SQLITE_OK) return fail(failure(code, sql));
    return {};
}

result<statement> connection::prepare(std::string_view sql) {
    statement made;
    if (auto ok = prepare(made, sql); !ok) return fail(std::move(ok.error()));
    return made;
}

result<void> connection::execute(const char* sql) {
    const int code = sqlite3_exec(get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(failure(code, sql));
    return {};
}

result<std::int64_t> connection::integer(std::string_view sql) {
    auto asked = prepare(sql);
    if (!asked) return fail(std::move(asked.error()));
    const int code = asked->step();
    if (code == SQLITE_ROW) return asked->integer(0);
    if (code == SQLITE_DONE) return 0;
    return fail(failure(code, sql));
}

result<void> connection::run(statement& once, std::string_view attempted) {
    const int code = once.step();
    if (code == SQLITE_DONE || code == SQLITE_ROW) {
        once.reset();
        return {};
    }
    auto failed = failure(code, attempted);
    once.reset();
    return fail(std::move(failed));
}

void connection::roll_back() {
    if (in_transaction()) sqlite3_exec(get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

result<connection::checkpointed> connection::checkpoint(bool empty_wal) {
    checkpointed done;
    const int code = sqlite3_wal_checkpoint_v2(
        get(), nullptr, empty_wal ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
        &done.wal_frames, &done.done_frames);
    if (code != SQLITE_OK) return fail(failure(code, "checkpoint"));
    return done;
}

std::string library_version() { return fmt::format("SQLite {}", sqlite3_libversion()); }

}  // namespace flexcore::store::sqlite
