#include "store/sqlite/migrations.hpp"

#include "base/clock.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

result<void> check_kind(connection& db, std::uint32_t application) {
    const auto found = db.integer("PRAGMA application_id");
    if (!found) return fail(found.error());
    if (*found == application) return {};
    const auto tables = db.integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return fail(tables.error());
    if (*found == 0 && *tables == 0) return {};
    return fail(store_errc::corrupt, fmt::format("{} is a database of something else", db.file()));
}

result<void> apply(connection& db, const embedded_file& file) {
    if (auto ok = db.execute("BEGIN IMMEDIATE"); !ok) return ok;
    auto done = db.execute(std::string{file.text}.c_str());
    if (done) {
        auto record = db.prepare("INSERT INTO migrations VALUES (?, ?, ?, ?)");
        if (!record) return fail(record.error());
        const auto checksum = checksum_of(file);
        record->bind(1, number_of(file))
            .bind(2, file.name)
            .bind(3, checksum)
            .bind(4, std::int64_t{now_unix_us()});
        done = db.run(*record, "record a migration");
    }
    if (done) done = db.execute("COMMIT");
    if (!done) db.roll_back();
    return done;
}

result<std::vector<applied_migration>> applied_to(connection& db) {
    auto recorded = db.prepare("SELECT number, name, checksum FROM migrations ORDER BY number");
    if (!recorded) return fail(recorded.error());
    std::vector<applied_migration> all;
    int code = recorded->step();
    for (; code == SQLITE_ROW; code = recorded->step()) {
        all.push_back({.number = recorded->integer(0),
                       .name = std::string{recorded->text(1)},
                       .checksum = std::string{recorded->text(2)}});
    }
    if (code != SQLITE_DONE) return fail(db.failure(code, "read the migrations"));
    return all;
}

}  // namespace

result<void> migrate(connection& db, const std::vector<embedded_file>& files,
                     std::uint32_t application) {
    if (auto ok = check_kind(db, application); !ok) return ok;
    const auto set_up = fmt::format(
        "BEGIN IMMEDIATE; PRAGMA application_id={};"
        "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
        " checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT; COMMIT",
        application);
    const auto known = db.integer("SELECT count(*) FROM sqlite_schema WHERE name='migrations'");
    if (!known) return fail(known.error());
    if (*known == 0) {
        if (auto ok = db.execute(set_up.c_str()); !ok) {
            db.roll_back();
            return ok;
        }
    }
    const auto applied = applied_to(db);
    if (!applied) return fail(applied.error());
    if (auto ok = check_applied(db.file(), files, *applied); !ok) return ok;
    for (std::size_t next = applied->size(); next < files.size(); ++next) {
        if (auto ok = apply(db, files[next]); !ok) return ok;
    }
    return {};
}

}  // namespace flexcore::store::sqlite
