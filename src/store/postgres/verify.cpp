#include "store/postgres/database.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/verify_impl.hpp"
#include "store/postgres/view_catalogue.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>
#include <array>

namespace flexcore::store::postgres {
namespace {

// Of one statement: whole tables are counted.
constexpr std::chrono::hours statement_max{6};

constexpr std::array tables{
    "log_head",    "names",       "streams",      "events",      "event_tags", "idempotency_keys",
    "holes",       "models",      "stream_rules", "removed_ids", "catalogue",  "kept_categories",
    "generations", "tables_left", "snapshots",    "rule_batches"};
constexpr std::array indexes{"names_pkey",
                             "names_kind_tenant_name_key",
                             "names_by_name",
                             "streams_pkey",
                             "streams_tenant_name_key",
                             "events_pkey",
                             "events_by_stream",
                             "events_by_id",
                             "events_by_type",
                             "events_by_category",
                             "event_tags_pkey",
                             "idempotency_keys_pkey",
                             "idempotency_keys_by_expiry",
                             "stream_rules_pkey",
                             "stream_rules_by_tenant",
                             "stream_rules_by_change",
                             "holes_pkey",
                             "holes_by_last",
                             "removed_ids_pkey",
                             "removed_ids_id_tenant_key",
                             "removed_ids_by_forgetting",
                             "removed_ids_by_stream",
                             "generations_pkey",
                             "models_pkey",
                             "snapshots_pkey",
                             "rule_batches_pkey",
                             "rule_batches_by_time"};
constexpr std::array functions{"append_batch",       "reclaim_step",     "add_hole",
                               "refuse_change",      "refuse_shrinking", "refuse_undeleting",
                               "refuse_unless_hole", "expect_catalogue", "drop_tables_left"};
constexpr std::array triggers{
    "events_never_change", "events_never_go",      "events_stay",     "event_tags_never_change",
    "event_tags_never_go", "streams_never_change", "tombstones_stay", "holes_never_shrink"};

constexpr std::string_view structure_remedy =
    "restore the latest backup into another database and compare; what is missing is made by the "
    "files in migrations/postgres";

/// Names of $1 that no row of `known` has.
std::string missing_of(std::string_view known) {
    return fmt::format("SELECT a.name FROM unnest($1::text[]) a(name) WHERE NOT EXISTS ({})",
                       known);
}

}  // namespace

verification::verification(operators_session database, const verify_listener& progress,
                           std::function<bool()> stop)
    : database_{std::move(database)}, progress_{progress}, stop_{std::move(stop)} {
    report_.database = true;
    report_.place = database_.place;
}

result<verification> verification::begin(const store_settings& settings,
                                         const verify_listener& progress,
                                         std::function<bool()> stop) {
    auto database = open_operators_session(settings, true, statement_max);
    if (!database) return fail(std::move(database.error()));
    const auto keeps = keeps_sessions(*database->session, database->settings);
    if (!keeps) return fail(for_operator(keeps.error()));
    if (!*keeps) return fail(breaks_sessions(database->settings.where.place));
    verification made{std::move(*database), progress, std::move(stop)};
    if (auto ok = made.begin_moment(); !ok) return fail(std::move(ok.error()));
    return made;
}

result<void> verification::begin_moment() {
    auto& db = session();
    for (const char* one :
         {"SET idle_in_transaction_session_timeout TO 0; SET lock_timeout TO 0",
          "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SAVEPOINT looked"}) {
        if (auto ok = db.script(one); !ok) return fail(for_operator(ok.error()));
    }
    const auto there =
        ask("SELECT to_regclass(quote_ident($1) || '.migrations') IS NOT NULL, EXISTS (SELECT FROM"
            " pg_stat_activity WHERE datname = current_database() AND application_name ="
            " 'flexcore')",
            params{}.add(db.schema()));
    if (!there) return fail(for_operator(there.error()));
    if (!(*there)[0][0].as<bool>()) {
        return fail(base_errc::invalid_argument,
                    fmt::format("{}: there is no such schema, or nothing was ever served from it "
                                "(store.url, store.schema)",
                                report_.place));
    }
    report_.in_use = (*there)[0][1].as<bool>();
    const auto rows = ask("SELECT number, name, checksum FROM migrations ORDER BY number");
    if (!rows) return fail(for_operator(rows.error()));
    std::vector<applied_migration> applied;
    for (const auto& row : *rows) {
        applied.push_back({.number = row[0].as<std::int64_t>(),
                           .name = row[1].as<std::string>(),
                           .checksum = row[2].as<std::string>()});
    }
    if (auto ok = check_applied(report_.place, migrations(), applied); !ok) return ok;
    if (applied.size() == migrations().size()) return {};
    return fail(store_errc::unavailable,
                fmt::format("{} is of an older version: start a server of this one on it first",
                            report_.place));
}

result<pqxx::result> verification::ask(const std::string& text, const params& with) {
    return asked([&](connection& db) { return db.run_kept(text, with); });
}

void verification::recover() {
    if (session().usable()) (void)session().script("ROLLBACK TO SAVEPOINT looked");
}

bool verification::has(std::string_view table) const {
    return std::find(missing_.begin(), missing_.end(), table) == missing_.end();
}

void verification::found(std::string_view table, std::string what, std::string_view remedy) {
    report_.add(
        {.file = std::string{table}, .what = std::move(what), .remedy = std::string{remedy}});
}

void verification::found_in_log(std::string_view table, position first, position last,
                                std::string what) {
    report_.add({.file = std::string{table},
                 .first = first,
                 .last = last,
                 .what = std::move(what),
                 .remedy = std::string{log_remedy}});
}

result<void> verification::as_finding(std::string_view table, std::string_view remedy,
                                      result<void> done) {
    if (done) return done;
    if (done.error().code != store_errc::corrupt) return fail(for_operator(done.error()));
    report_.partly = true;
    found(table, "a part of it cannot be read: " + reason_of(done.error()), remedy);
    return {};
}

/// What the migrations have made, and is still there and in force.
result<void> verification::look_at_structure() {
    step("tables and indexes", 0, 0);
    const auto& schema = session().schema();
    const auto look = [&](const auto& names, const std::string& known,
                          const auto& say) -> result<void> {
        const auto rows = ask(missing_of(known), params{}.add(array_text::of(names)).add(schema));
        if (!rows) return fail(for_operator(rows.error()));
        for (const auto& row : *rows) say(row[0].template as<std::string>());
        return {};
    };
    constexpr const char* of_schema =
        "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $2";
    if (auto ok = look(
            tables,
            fmt::format("SELECT FROM {} WHERE c.relname = a.name AND c.relkind = 'r'", of_schema),
            [&](std::string name) {
                found(name, fmt::format("the table {} is missing", name), structure_remedy);
                missing_.push_back(std::move(name));
            });
        !ok)
        return ok;
    if (auto ok = look(indexes,
                       fmt::format("SELECT FROM {} JOIN pg_index i ON i.indexrelid = c.oid AND"
                                   " i.indisvalid AND i.indisready WHERE c.relname = a.name",
                                   of_schema),
                       [&](std::string name) {
                           // Those of a missing table went with it.
                           const bool follows = std::any_of(
                               missing_.begin(), missing_.end(),
                               [&](const auto& one) { return name.starts_with(one + "_"); });
                           if (follows) return;
                           found(name, fmt::format("the index {} is missing or not valid", name),
                                 structure_remedy);
                           missing_.push_back(std::move(name));
                       });
        !ok)
        return ok;
    if (auto ok = look(functions,
                       "SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND"
                       " n.nspname = $2 WHERE p.proname = a.name",
                       [&](std::string name) {
                           found(name, fmt::format("the function {} is missing", name),
                                 structure_remedy);
                           missing_.push_back(std::move(name));
                       });
        !ok)
        return ok;
    return look(
        triggers,
        fmt::format(
            "SELECT FROM {} JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')"
            " WHERE t.tgname = a.name",
            of_schema),
        [&](const std::string& name) {
            found(
                name,
                fmt::format("the trigger {} is missing or switched off: nothing keeps others from "
                            "changing what was written",
                            name),
                "ALTER TABLE … ENABLE TRIGGER, and find out who has switched it off");
        });
}

result<void> verification::look_at_moment() {
    if (auto ok = look_at_structure(); !ok) return ok;
    // Rows of a generation that is replaced meanwhile are not dropped while somebody has a lock.
    // Going back to the savepoint would give it up.
    if (has("generations") && has("models")) {
        const auto names =
            ask("SELECT format('rows_%s_%s', generation, number) FROM models ORDER BY generation, "
                "number");
        if (!names) return fail(for_operator(names.error()));
        for (const auto& row : *names) {
            (void)asked([&](connection& db) {
                return db.script(
                    fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE;"
                                "RELEASE SAVEPOINT looked; SAVEPOINT looked",
                                row[0].as<std::string>()));
            });
        }
    }
    const bool log = has("log_head") && has("names") && has("streams") && has("events") &&
                     has("event_tags") && has("holes");
    report_.log_read = log;
    if (log) {
        if (auto ok = verify_events(*this); !ok) return ok;
        if (auto ok = verify_names(*this); !ok) return ok;
    }
    if (has("generations") && has("models")) {
        if (auto ok = verify_views(*this); !ok) return ok;
    }
    return has("snapshots") ? verify_snapshots(*this) : result<void>{};
}

/// Not in the transaction: amcheck takes a moment of its own for each.
result<void> verification::look_at_indexes() {
    auto& db = session();
    if (auto ok = db.script("ROLLBACK"); !ok) return fail(for_operator(ok.error()));
    const auto extension = db.script(
        "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = "
        "e.extnamespace JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'bt_index_check' "
        "AND p.pronargs = 2 WHERE e.extname = 'amcheck' AND has_function_privilege(p.oid, "
        "'EXECUTE')");
    if (!extension) return fail(for_operator(extension.error()));
    if (extension->empty()) {
        report_.notes.emplace_back(
            "what the indexes hold was not looked at: that needs the extension amcheck (as a "
            "superuser: CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION "
            "bt_index_check(regclass, boolean) TO the role)");
        return {};
    }
    const auto all = db.run_once(
        "SELECT c.oid, c.relname, t.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_am a ON a.oid = c.relam WHERE n.nspname = $1 AND a.amname = 'btree' AND"
        " i.indisvalid ORDER BY c.relname",
        params{}.add(db.schema()));
    if (!all) return fail(for_operator(all.error()));
    std::uint64_t done = 0;
    for (const auto& row : *all) {
        step("indexes", ++done, static_cast<std::uint64_t>(all->size()));
        const auto checked =
            db.script(fmt::format("SELECT {}.bt_index_check({}::regclass, true)",
                                  (*extension)[0][0].as<std::string>(), row[0].as<std::string>()));
        ++report_.indexes;
        if (checked) continue;
        const auto name = row[1].as<std::string>();
        if (checked.error().code != store_errc::corrupt) {
            if (!db.usable()) return fail(for_operator(checked.error()));
            // A generation's tables come and go.
            const auto there = db.run_once("SELECT FROM pg_class WHERE oid = $1::oid",
                                           params{}.add(row[0].as<std::string>()));
            if (!there) return fail(for_operator(there.error()));
            if (!there->empty()) {
                report_.notes.push_back(fmt::format("the index {} could not be looked at: {}", name,
                                                    reason_of(checked.error())));
            }
            continue;
        }
        found(row[2].as<std::string>(),
              fmt::format("the index {} is damaged: {}", name, reason_of(checked.error())),
              "REINDEX INDEX CONCURRENTLY makes an index again from its table; then verify again");
    }
    return {};
}

result<void> verification::look_at_all() {
    if (auto ok = look_at_moment(); !ok) return ok;
    return look_at_indexes();
}

}  // namespace flexcore::store::postgres
