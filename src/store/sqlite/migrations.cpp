#include "store/sqlite/migrations.hpp"

#include "base/check.hpp"
#include "base/clock.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>

namespace flexcore::store::sqlite {
namespace {

std::int64_t number_of(const embedded_file& file) {
    std::int64_t number = 0;
    const auto [end, problem] =
        std::from_chars(file.name.data(), file.name.data() + file.name.size(), number);
    FLEXCORE_CHECK(problem == std::errc{} && *end == '_');
    return number;
}

std::string checksum_of(const embedded_file& file) {
    const auto sum = XXH3_128bits(file.text.data(), file.text.size());
    return fmt::format("{:016x}{:016x}", sum.high64, sum.low64);
}

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

result<void> check_applied(connection& db, const std::vector<embedded_file>& files,
                           std::size_t& applied) {
    auto recorded = db.prepare("SELECT number, name, checksum FROM migrations ORDER BY number");
    if (!recorded) return fail(recorded.error());
    applied = 0;
    int code = recorded->step();
    for (; code == SQLITE_ROW; code = recorded->step(), ++applied) {
        const std::string name{recorded->text(1)};
        if (applied == files.size()) {
            return fail(store_errc::newer_schema,
                        fmt::format("{} was written by a newer version of this program: it has "
                                    "migration {}, which is not known here",
                                    db.file(), name));
        }
        const auto& file = files[applied];
        if (recorded->integer(0) != number_of(file) || recorded->text(2) != checksum_of(file)) {
            return fail(store_errc::newer_schema,
                        fmt::format("{} was made by another version of this program: its "
                                    "migration {} is not the one known here as {}",
                                    db.file(), name, file.name));
        }
    }
    if (code != SQLITE_DONE) return fail(db.failure(code, "read the migrations"));
    return {};
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
    std::size_t applied = 0;
    if (auto ok = check_applied(db, files, applied); !ok) return ok;
    for (; applied < files.size(); ++applied) {
        if (auto ok = apply(db, files[applied]); !ok) return ok;
    }
    return {};
}

}  // namespace flexcore::store::sqlite
