#include "store/database_facts.hpp"

#include "store/postgres/database.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/operators_session.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>
#include <cstdlib>

namespace flexcore::store::postgres {
namespace {

constexpr std::size_t samples_max = 200;
constexpr std::chrono::milliseconds samples_take{1'500};  // of each kind

double ms_between(monotonic::time_point from, monotonic::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
}

/// How long `text` takes, ascending; none when the server refuses it.
result<std::vector<double>> times_of(connection& db, const char* text) {
    std::vector<double> all;
    const auto until = monotonic::now() + samples_take;
    while (all.size() < samples_max && (all.empty() || monotonic::now() < until)) {
        const auto begun = monotonic::now();
        if (const auto done = db.script(text); !done) {
            if (!db.usable()) return fail(for_operator(done.error()));
            return std::vector<double>{};
        }
        all.push_back(ms_between(begun, monotonic::now()));
    }
    std::sort(all.begin(), all.end());
    return all;
}

/// The clocks are compared with the quickest of some answers.
result<void> compare_clocks(connection& db, database_facts& out) {
    constexpr int tries = 20;
    double quickest = 0;
    for (int i = 0; i < tries; ++i) {
        const auto begun = monotonic::now();
        const auto here = now_unix_us();
        const auto rows =
            db.script("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
        if (!rows) return fail(for_operator(rows.error()));
        const double took = ms_between(begun, monotonic::now());
        if (i != 0 && took >= quickest) continue;
        quickest = took;
        const double apart = static_cast<double>((*rows)[0][0].as<std::int64_t>() - here) / 1'000;
        out.clock_ahead_ms = apart - took / 2;
        out.clock_unsure_ms = took / 2;
    }
    return {};
}

/// One row: what does not depend on the schema.
constexpr const char* settings_text =
    "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),"
    " (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),"
    " current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',"
    " current_setting('data_checksums') = 'on', current_setting('autovacuum') = 'on',"
    " current_setting('wal_level'), current_setting('synchronous_standby_names'),"
    " current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int,"
    // What sessions of other roles do is not shown to all, but that they are there.
    " (SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND"
    " pid <> pg_backend_pid() AND (datname <> current_database() OR"
    " coalesce(application_name, '') NOT LIKE 'flexcore%')),"
    " (SELECT least(nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)) FROM pg_roles r,"
    " pg_database d WHERE r.rolname = current_user AND d.datname = current_database()),"
    " inet_server_addr() IS NOT NULL AND inet_client_addr() IS DISTINCT FROM inet_server_addr()"
    " AND NOT inet_server_addr() <<= '127.0.0.0/8' AND inet_server_addr() <> '::1',"
    " coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl), ''),"
    " EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck'),"
    " has_database_privilege(current_database(), 'CREATE'),"
    " (SELECT count(*) FROM pg_stat_replication),"
    " (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')),"
    " (SELECT count(*) FROM pg_stat_replication WHERE state IS NULL) = 0,"
    " pg_backend_pid()";

result<void> read_settings(connection& db, database_facts& out) {
    const auto rows = db.script(settings_text);
    if (!rows) return fail(for_operator(rows.error()));
    const auto row = (*rows)[0];
    int at = 0;
    const auto next = [&] { return row[at++]; };
    out.major = next().as<int>() / 10'000;
    out.encoding = next().as<std::string>();
    out.synchronous_commit = next().as<std::string>();
    out.fsync = next().as<bool>();
    out.full_page_writes = next().as<bool>();
    out.data_checksums = next().as<bool>();
    out.autovacuum = next().as<bool>();
    out.wal_level = next().as<std::string>();
    out.synchronous_standby_names = next().as<std::string>();
    out.connections_max = next().as<int>();
    out.connections_used = next().as<int>();
    if (const auto limit = next(); !limit.is_null())
        out.connections_max = std::min(out.connections_max, limit.as<int>());
    out.remote = next().as<bool>();
    out.tls = next().as<std::string>();
    out.amcheck = next().as<bool>();
    out.may_make_schema = next().as<bool>();
    out.standbys = next().as<int>();
    out.synchronous_standbys = next().as<int>();
    out.standbys_known = next().as<bool>();
    if (next().as<int>() != db.process() && out.pooler == database_facts::pooling::none)
        out.pooler = database_facts::pooling::session;
    return {};
}

result<void> read_schema(connection& db, database_facts& out) {
    const auto there =
        db.run_once("SELECT to_regclass(quote_ident($1) || '.migrations') IS NOT NULL",
                    params{}.add(db.schema()));
    if (!there) return fail(for_operator(there.error()));
    out.schema_there = (*there)[0][0].as<bool>();
    if (!out.schema_there) return {};
    const auto rows = db.script("SELECT max(number) FROM migrations");
    if (!rows) return fail(for_operator(rows.error()));
    out.newer_schema = !(*rows)[0][0].is_null() &&
                       (*rows)[0][0].as<std::int64_t>() > number_of(migrations().back());
    return {};
}

}  // namespace
}  // namespace flexcore::store::postgres

namespace flexcore::store {

result<database_facts> look_at_database(const store_settings& settings) {
    using namespace postgres;
    database_facts out;
    const auto begun = monotonic::now();
    auto with = open_operators_session(settings, false, {});
    if (!with) return fail(std::move(with.error()));
    out.connect_ms = ms_between(begun, monotonic::now());
    auto& db = *with->session;
    out.place = with->place;
    out.version = db.server_version();
    out.sslmode = with->settings.where.sslmode;
    const auto keeps = keeps_sessions(db, with->settings);
    if (!keeps) return fail(for_operator(keeps.error()));
    if (!*keeps) {
        out.pooler = database_facts::pooling::transaction;
        return out;
    }
    if (auto ok = read_settings(db, out); !ok) return fail(std::move(ok.error()));
    if (auto ok = read_schema(db, out); !ok) return fail(std::move(ok.error()));
    if (auto ok = compare_clocks(db, out); !ok) return fail(std::move(ok.error()));
    const auto answers = times_of(db, "SELECT 1");
    if (!answers) return fail(answers.error());
    if (!answers->empty()) out.round_trip_ms = (*answers)[answers->size() / 2];
    if (out.standby_missing()) return out;
    // Its commit waits for the disk, and for a synchronous standby, as a batch's does.
    auto commits = times_of(db, "SELECT pg_logical_emit_message(true, 'flexcore', 'doctor')");
    if (!commits) return fail(commits.error());
    out.commits_ms = std::move(*commits);
    return out;
}

}  // namespace flexcore::store
