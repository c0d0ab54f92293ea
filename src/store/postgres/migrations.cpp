#include "store/postgres/migrations.hpp"

#include "base/clock.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>
#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr sql recorded{"migrations_recorded",
                       "SELECT number, name, checksum FROM migrations ORDER BY number"};
constexpr sql record{"migrations_record",
                     "INSERT INTO migrations (number, name, checksum, applied_at) "
                     "VALUES ($1, $2, $3, $4)"};
// Of the tables themselves: what a session has looked up by name before it waits for the lock it
// would look up no second time in the same transaction.
constexpr sql found{"migrations_found",
                    "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = "
                    "c.relnamespace WHERE n.nspname = $1 AND c.relname = 'migrations')"};

/// Of this program and schema among all that use the database.
std::int64_t lock_of(const std::string& schema) {
    const std::string name = "flexcore migrations " + schema;
    return static_cast<std::int64_t>(XXH3_64bits(name.data(), name.size()));
}

std::string quoted_name(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) out.append(c == '"' ? 2 : 1, c);
    return out += '"';
}

result<void> apply_missing(connection& db) {
    const auto encoding = db.script("SHOW server_encoding");
    if (!encoding) return fail(encoding.error());
    if (const std::string name = (*encoding)[0][0].as<std::string>(); name != "UTF8") {
        return fail(base_errc::invalid_argument,
                    fmt::format("the database's encoding is {}; FlexCore needs one made with "
                                "ENCODING 'UTF8'",
                                name));
    }
    if (auto ok = db.script(fmt::format("SELECT pg_advisory_xact_lock({})", lock_of(db.schema())));
        !ok)
        return fail(ok.error());
    const std::string in = quoted_name(db.schema());
    const auto known = db.run(found, params{}.add(db.schema()));
    if (!known) return fail(known.error());
    if (!(*known)[0][0].as<bool>()) {
        const auto made = db.script(fmt::format(
            "CREATE SCHEMA IF NOT EXISTS {0};"
            "CREATE TABLE {0}.migrations (number bigint PRIMARY KEY, name text NOT NULL,"
            " checksum text NOT NULL, applied_at bigint NOT NULL)",
            in));
        if (!made) return fail(made.error());
    }
    const auto rows = db.run(recorded);
    if (!rows) return fail(rows.error());
    std::vector<applied_migration> applied;
    for (const auto& row : *rows) {
        applied.push_back({.number = row[0].as<std::int64_t>(),
                           .name = row[1].as<std::string>(),
                           .checksum = row[2].as<std::string>()});
    }
    const auto& files = migrations();
    const std::string place = fmt::format("schema {} of the database", db.schema());
    if (auto ok = check_applied(place, files, applied); !ok) return ok;
    for (std::size_t next = applied.size(); next < files.size(); ++next) {
        if (auto ok = db.script(std::string{files[next].text}); !ok) return fail(ok.error());
        const auto noted = db.run(record, params{}
                                              .add(number_of(files[next]))
                                              .add(files[next].name)
                                              .add(checksum_of(files[next]))
                                              .add(now_unix_us()));
        if (!noted) return fail(noted.error());
    }
    return {};
}

}  // namespace

result<void> migrate(connection& db) {
    if (auto ok = db.begin(); !ok) return ok;
    auto done = apply_missing(db);
    if (done) done = db.commit();
    if (!done) db.roll_back();
    return done;
}

}  // namespace flexcore::store::postgres
