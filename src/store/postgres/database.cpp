#include "store/postgres/database.hpp"

#include "store/postgres/migrations.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

result<int> process_of(connection& session) {
    const auto rows = session.script("SELECT pg_backend_pid()");
    if (!rows) return fail(rows.error());
    return (*rows)[0][0].as<int>();
}

}  // namespace

// What a session was told (search path, prepared statements, locks) is somebody else's behind such
// a pooler. One client's transaction takes the session that another has just used; then the other
// has to get another one.
result<bool> keeps_sessions(connection& one, const connection_settings& settings) {
    const auto before = process_of(one);
    if (!before) return fail(before.error());
    auto other = connection::open(settings);
    if (!other) return fail(std::move(other.error()));
    if (auto ok = (*other)->begin(); !ok) return fail(ok.error());
    const auto taken = process_of(**other);
    const auto after = process_of(one);
    (*other)->roll_back();
    if (!taken) return fail(taken.error());
    if (!after) return fail(after.error());
    return *before == *after && *before != *taken;
}

error breaks_sessions(const std::string& place) {
    return {store_errc::unavailable,
            fmt::format("{} is a pooler in transaction mode: prepared statements, the search path "
                        "and locks of a session do not hold there. Set pool_mode=session for this "
                        "database, or connect past the pooler",
                        place)};
}

result<database> open_database(const database_settings& settings) {
    auto where = read_conninfo(settings.url, settings.password_file, settings.connect_timeout);
    if (!where) return fail(std::move(where.error()));
    database made;
    made.writing = {.where = std::move(*where),
                    .schema = settings.schema,
                    .statement_timeout = settings.statement_timeout,
                    .read_only = false,
                    .overdue = std::make_shared<watch>()};
    {
        const auto first = connection::open(made.writing);
        if (!first) return fail(first.error());
        const auto keeps = keeps_sessions(**first, made.writing);
        if (!keeps) return fail(keeps.error());
        if (!*keeps) return fail(breaks_sessions(made.writing.where.place));
    }
    auto known = standing::open(settings.folder);
    if (!known) return fail(std::move(known.error()));
    made.known = std::move(*known);
    // Before anything is changed there; and every session from now on, after a failover for
    // instance, may be with another server.
    made.writing.accepts = [known = made.known](connection& one) { return known->check(one); };
    const auto session = connection::open(made.writing);
    if (!session) return fail(session.error());
    if (auto ok = migrate(**session); !ok) return fail(std::move(ok.error()));
    made.description = fmt::format("PostgreSQL {} at {}, schema {}", (*session)->server_version(),
                                   made.writing.where.place, settings.schema);
    auto reading = made.writing;
    reading.read_only = true;
    made.readers =
        std::make_shared<sessions>(reading, session_limits{.sessions_max = settings.sessions_max});
    return made;
}

}  // namespace flexcore::store::postgres
