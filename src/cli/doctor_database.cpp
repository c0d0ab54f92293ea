// Of `flexcore doctor`: the PostgreSQL that the settings name.
#include "app/data_folder.hpp"
#include "cli/doctor_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace flexcore::cli {
namespace {

using store::database_facts;

constexpr int tested_major = 15, oldest_major = 14;
constexpr double slow_round_trip_ms = 5, slow_commit_ms = 10;
// Below this not even a fast disk has the data: somebody only says so.
constexpr double unlikely_commit_ms = 0.02;
constexpr double clocks_apart_ms = 500;
constexpr std::size_t sessions_that_write = 3;

class database_check {
public:
    database_check(const database_facts& facts, const app::settings& s, std::vector<finding>& out)
        : facts_{facts}, settings_{s}, out_{out} {}

    void run() {
        say_version();
        if (!say_pooler()) return;
        say_schema();
        say_times();
        say_durability();
        say_standbys();
        say_connections();
        say_tls();
        say_clock();
    }

private:
    void ok(const char* check, std::string found) {
        out_.push_back({check, verdict::ok, std::move(found), {}});
    }
    void say(const char* check, verdict is, std::string found, std::string advice) {
        out_.push_back({check, is, std::move(found), std::move(advice)});
    }
    /// Well, or so bad that `advice` helps.
    void demand(bool well, const char* check, verdict otherwise, std::string found,
                const char* advice) {
        if (well)
            ok(check, std::move(found));
        else
            say(check, otherwise, std::move(found), advice);
    }

    void say_version() {
        std::string found = fmt::format("PostgreSQL {} at {}, connected in {:.1f} ms",
                                        facts_.version, facts_.place, facts_.connect_ms);
        const bool known = facts_.pooler != database_facts::pooling::transaction;
        if (known && facts_.major < oldest_major)
            say("database", verdict::bad, std::move(found),
                fmt::format("too old: use PostgreSQL {} or later", tested_major));
        else
            ok("database", std::move(found));
    }
    bool say_pooler() {
        switch (facts_.pooler) {
            case database_facts::pooling::none:
                ok("pooler", "none");
                return true;
            case database_facts::pooling::session:
                ok("pooler", "one in session mode stands between");
                return true;
            case database_facts::pooling::transaction:
                break;
        }
        say("pooler", verdict::bad, "one in transaction mode stands between",
            "prepared statements, the search path and locks of a session do not hold there; set "
            "pool_mode=session for this database, or connect past the pooler");
        return false;
    }
    void say_schema() {
        const auto& name = settings_.store.schema;
        demand(facts_.encoding == "UTF8", "encoding", verdict::bad, facts_.encoding,
               "FlexCore needs a database made with ENCODING 'UTF8' (createdb --encoding=UTF8 "
               "--template=template0)");
        if (facts_.newer_schema) {
            say("schema", verdict::bad, fmt::format("{} is of a newer program", name),
                "run the newer program, or name another schema (store.schema)");
        } else if (facts_.schema_there) {
            ok("schema", name);
        } else {
            demand(facts_.may_make_schema, "schema", verdict::bad,
                   fmt::format("{}, to be made", name),
                   "this role may not make it: GRANT CREATE ON DATABASE … TO the role, or CREATE "
                   "SCHEMA … AUTHORIZATION the role");
        }
    }
    void say_times() {
        demand(facts_.round_trip_ms <= slow_round_trip_ms, "round trip", verdict::warn,
               fmt::format("{:.2f} ms", facts_.round_trip_ms),
               "each read and each batch waits for one: put the server nearer to the database, or "
               "mend the network between them");
        const auto& all = facts_.commits_ms;
        if (facts_.standby_missing()) return;  // said of the standbys
        if (all.empty()) {
            say("commit latency", verdict::warn, "not measured: this role may not write to the log",
                "GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) TO the "
                "role, to have it measured");
            return;
        }
        const double p50 = all[all.size() / 2], p99 = all[(all.size() - 1) * 99 / 100];
        finding one{"commit latency",
                    verdict::ok,
                    fmt::format("p50 {:.2f} ms, p99 {:.2f} ms", p50, p99),
                    {}};
        if (p50 > slow_commit_ms) {
            one.is = verdict::warn;
            one.advice = fmt::format(
                "every write waits for one: at most {:.0f} commits a second; give the database a "
                "disk with a power-safe cache, and a synchronous standby that is near (many writes "
                "share a commit, so clients in parallel help)",
                1'000 / p50);
        } else if (facts_.fsync && p50 - facts_.round_trip_ms < unlikely_commit_ms) {
            one.is = verdict::warn;
            one.advice =
                "too fast to be a disk: what is acknowledged may not survive a power loss; check "
                "that the database's disk or virtual machine does not ignore flushes";
        }
        out_.push_back(std::move(one));
    }
    void say_durability() {
        const auto on = [](bool is) { return std::string{is ? "on" : "off"}; };
        demand(facts_.fsync, "fsync", verdict::bad, on(facts_.fsync),
               "what is acknowledged does not survive a power loss, and the database may not "
               "either: fsync = on in postgresql.conf");
        demand(facts_.full_page_writes, "full_page_writes", verdict::bad,
               on(facts_.full_page_writes),
               "a power loss may leave half-written pages: full_page_writes = on in "
               "postgresql.conf, unless the file system never tears a page (ZFS)");
        demand(facts_.data_checksums, "data_checksums", verdict::warn, on(facts_.data_checksums),
               "damage to pages of indexes and read models is not noticed (events carry checksums "
               "of their own): stop the database, pg_checksums --enable, start it");
        demand(facts_.autovacuum, "autovacuum", verdict::bad, on(facts_.autovacuum),
               "tables grow without need, and the database stops taking writes one day: autovacuum "
               "= on in postgresql.conf");
        const auto& sync = facts_.synchronous_commit;
        ok("synchronous_commit",
           sync == "off" || sync == "local" ? sync + "; FlexCore's sessions set it to on" : sync);
        demand(facts_.wal_level != "minimal", "wal_level", verdict::warn, facts_.wal_level,
               "neither a standby nor pg_basebackup is possible: wal_level = replica in "
               "postgresql.conf, and a restart");
    }
    void say_standbys() {
        if (!facts_.standbys_known) {
            ok("standbys",
               fmt::format("{}; this role may not see more (GRANT pg_monitor)", facts_.standbys));
            return;
        }
        std::string found = fmt::format("{} connected, commits wait for {}", facts_.standbys,
                                        facts_.synchronous_standbys);
        if (facts_.standby_missing()) {
            say("standbys", verdict::bad, std::move(found),
                fmt::format("commits wait for \"{}\" (synchronous_standby_names), and none of them "
                            "is connected: start it, or take it out of the setting",
                            facts_.synchronous_standby_names));
        } else if (facts_.standbys > 0 && facts_.synchronous_standbys == 0) {
            say("standbys", verdict::warn, std::move(found),
                "a failover to one of them may lose acknowledged events: name it in "
                "synchronous_standby_names");
        } else {
            ok("standbys", facts_.standbys == 0 ? "none" : std::move(found));
        }
    }
    void say_connections() {
        const auto needed = static_cast<int>(settings_.store.sessions_max + sessions_that_write);
        const int left = facts_.connections_max - facts_.connections_used;
        std::string found = fmt::format("up to {} needed, {} possible, {} used by others", needed,
                                        facts_.connections_max, facts_.connections_used);
        if (facts_.pooler != database_facts::pooling::none) {
            ok("connections", fmt::format("up to {} needed of the pooler", needed));
        } else if (needed > facts_.connections_max) {
            say("connections", verdict::bad, std::move(found),
                "raise max_connections (or the limit of the role or database), or lower "
                "store.sessions_max");
        } else {
            demand(needed <= left, "connections", verdict::warn, std::move(found),
                   "with the others there are too few: raise max_connections, lower "
                   "store.sessions_max, or put a pooler in session mode between");
        }
    }
    void say_tls() {
        if (facts_.pooler != database_facts::pooling::none) {
            ok("TLS", fmt::format("sslmode={}; what the pooler does is not known", facts_.sslmode));
        } else if (facts_.tls.empty()) {
            demand(!facts_.remote, "TLS", verdict::warn,
                   facts_.remote ? "none" : "none; the database is on this machine",
                   "data and password cross the network in the clear: set ssl = on there, and "
                   "sslmode=verify-full and sslrootcert in store.url");
        } else {
            demand(!facts_.remote || facts_.sslmode == "verify-full", "TLS", verdict::warn,
                   fmt::format("{}, sslmode={}", facts_.tls, facts_.sslmode),
                   "who answers is not verified: sslmode=verify-full and sslrootcert in store.url");
        }
    }
    void say_clock() {
        const double ahead = facts_.clock_ahead_ms;
        const bool well = std::abs(ahead) <= clocks_apart_ms + facts_.clock_unsure_ms;
        demand(well, "database clock", verdict::warn,
               well ? fmt::format("within {:.0f} ms", std::abs(ahead) + facts_.clock_unsure_ms)
                    : fmt::format("{:.0f} ms {} this machine's", std::abs(ahead),
                                  ahead > 0 ? "ahead of" : "behind"),
               "times of events are this machine's, and servers that share a log should agree: let "
               "a time service (chrony, systemd-timesyncd) set both clocks");
    }

    const database_facts& facts_;
    const app::settings& settings_;
    std::vector<finding>& out_;
};

}  // namespace

void check_database(const app::settings& s, std::vector<finding>& out) {
    if (!store::is_postgres_url(s.store.url)) return;
    const auto facts = app::look_at_database(s.store);
    if (!facts) {
        out.push_back(
            {"database", verdict::bad, facts.error().client,
             "is the database running, and do host, port, database, user and password "
             "of store.url (--store) fit? A standby is not served from: name the primary, "
             "or all hosts"});
        return;
    }
    database_check{*facts, s, out}.run();
}

}  // namespace flexcore::cli
