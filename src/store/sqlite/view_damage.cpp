#include "store/sqlite/view_damage.hpp"

#include "base/clock.hpp"
#include "store/sqlite/view_catalogue.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <fstream>

namespace flexcore::store::sqlite {
namespace {

// Read at a few hundred MiB a second: what may be added to a start.
constexpr std::int64_t checked_whole_bytes_max = 64 << 20;

std::filesystem::path note_beside(const std::filesystem::path& database) {
    return database.string() + ".make-again";
}

error damaged(const connection& db, std::string_view what) {
    return {store_errc::corrupt, "the store's file views.db is damaged",
            fmt::format("{}: {}", db.file(), what)};
}

result<void> check_whole(connection& db) {
    auto check = db.prepare("PRAGMA quick_check(1)");
    if (!check) return fail(std::move(check.error()));
    const int code = check->step();
    if (code != SQLITE_ROW) return fail(db.failure(code, "check the read models"));
    if (check->text(0) != "ok") return fail(damaged(db, check->text(0)));
    return {};
}

/// Reads one row. A table or column that is not there is damage: the catalogue names it.
result<void> read_one(connection& db, const std::string& sql) {
    auto asked = db.prepare(sql);
    if (!asked) {
        const bool missing = (sqlite3_errcode(db.get()) & 0xff) == SQLITE_ERROR;
        return fail(missing ? damaged(db, asked.error().log) : std::move(asked.error()));
    }
    const int code = asked->step();
    if (code == SQLITE_ROW || code == SQLITE_DONE) return {};
    return fail(db.failure(code, sql));
}

result<void> check_ends(connection& db, const model_table& model) {
    const auto table = model.table();
    for (const char* way : {"ASC", "DESC"}) {
        const auto whole_row = [&](std::string_view order) {
            return read_one(db, fmt::format("SELECT * FROM {} ORDER BY {} LIMIT 1", table, order));
        };
        if (auto ok = whole_row(fmt::format("rowid {}", way)); !ok) return ok;
        if (auto ok = whole_row(fmt::format("tenant {0}, key {0}", way)); !ok) return ok;
        for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
            const auto column = model_table::column(f);
            if (auto ok = whole_row(fmt::format("tenant {0}, {1} {0}, key {0}", way, column));
                !ok) {
                return ok;
            }
        }
    }
    return {};
}

}  // namespace

result<void> check_views(connection& db, const std::vector<generation>& all) {
    const auto pages = db.integer("PRAGMA page_count");
    if (!pages) return fail(pages.error());
    const auto page_bytes = db.integer("PRAGMA page_size");
    if (!page_bytes) return fail(page_bytes.error());
    if (*pages * *page_bytes <= checked_whole_bytes_max) {
        if (auto ok = check_whole(db); !ok) return ok;
    }
    for (const auto& one : all) {
        for (const auto& model : tables_of(one)) {
            if (auto ok = check_ends(db, model); !ok) return ok;
        }
    }
    return {};
}

void note_damage(const std::filesystem::path& database, const error& met) {
    const auto note = note_beside(database);
    std::error_code problem;
    if (std::filesystem::exists(note, problem)) return;
    const bool noted = (std::ofstream{note} << met.log << '\n').flush().good();
    telemetry::log(telemetry::level::error, "store",
                   noted ? "the read models are damaged; the next start makes them again"
                         : "the read models are damaged, which could not be noted for the next "
                           "start",
                   {{"detail", std::string_view{met.log}}});
}

bool damage_noted(const std::filesystem::path& database) {
    std::error_code problem;
    return std::filesystem::exists(note_beside(database), problem);
}

result<void> move_aside(const std::filesystem::path& database) {
    const auto kept = fmt::format("{}.damaged-{}", database.string(), now_unix_us());
    std::error_code problem;
    for (const auto* part : {"", "-wal", "-shm"}) {
        const auto from = database.string() + part;
        if (!std::filesystem::exists(from, problem)) continue;
        std::filesystem::rename(from, kept + part, problem);
        if (problem) {
            return fail(store_errc::unavailable, "damaged read models cannot be moved aside",
                        fmt::format("{}: {}", from, problem.message()));
        }
    }
    std::filesystem::remove(note_beside(database), problem);
    return {};
}

}  // namespace flexcore::store::sqlite
