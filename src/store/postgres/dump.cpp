#include "store/postgres/dump.hpp"

#include "base/clock.hpp"
#include "store/postgres/child_program.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/verify_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>
#include <fstream>

namespace flexcore::store::postgres {
namespace {

namespace fs = std::filesystem;

constexpr const char* dump_name = "database.dump";
constexpr const char* guide_name = "restore.txt";

/// A name in a pattern of pg_dump, taken as it is.
std::string pattern(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) out.append(c == '"' ? 2 : 1, c);
    return out += '"';
}

error no_programs(const verification& look, const connection_settings& with) {
    return {
        store_errc::unavailable,
        fmt::format(
            "{}: pg_dump and pg_restore are not on this machine. Install PostgreSQL's client "
            "programs (Debian: postgresql-client), or copy the database from a machine that has "
            "them: pg_dump --format=custom --schema='{}' --file=database.dump '{}', with the "
            "password in PGPASSWORD or PGPASSFILE; or the whole cluster: pg_basebackup "
            "--pgdata=FOLDER --wal-method=stream",
            look.place(), pattern(with.schema), with.where.place)};
}

constexpr std::string_view schema_by_default = "flexcore";

/// One word of a POSIX shell.
std::string for_a_shell(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out += "'";
}

bool is_derived(const finding& one) {
    return one.file.starts_with("rows_") || one.file == "generations" || one.file == "models";
}

/// What is damaged and will be made again is not copied.
result<std::vector<std::string>> left_out_of(verify_report& report, bool structure_is_whole) {
    std::vector<std::string> out;
    const auto leave = [&](const char* what, auto which) {
        const auto before = report.findings.size();
        std::erase_if(report.findings, which);
        if (report.findings.size() != before) out.emplace_back(what);
    };
    // No server makes a table again.
    if (structure_is_whole) {
        leave("the read models", is_derived);
        leave("the snapshots", [](const finding& one) { return one.file == "snapshots"; });
    }
    if (report.findings.empty() && report.left_out == 0) return out;
    const std::string first = report.findings.empty() ? "" : report.findings.front().what + ". ";
    return fail(store_errc::corrupt,
                fmt::format("the database is not sound: {}`flexcore verify` with the same settings "
                            "names all of it, and what to do",
                            first));
}

struct copying {
    verification& look;
    fs::path file;
    const verify_listener& progress;
    const std::function<bool()>& stop;

    [[nodiscard]] bool stopped() const { return stop && stop(); }
    /// For a program under way.
    [[nodiscard]] bool watch() const {
        std::error_code unknown;
        const auto bytes = fs::file_size(file, unknown);
        if (progress && !unknown) progress({"database.dump: copy", bytes, 0});
        return stopped();
    }
    [[nodiscard]] static std::unexpected<error> was_stopped() {
        return fail(store_errc::stopped, "the backup was broken off");
    }
};

result<std::vector<std::string>> dump_command(copying& of, const std::string& program,
                                              const std::string& shown,
                                              const std::vector<std::string>& left_out) {
    auto& db = of.look.session();
    const std::string schema = pattern(db.schema());
    const auto left = of.look.ask("SELECT name FROM tables_left");
    if (!left) return fail(for_operator(left.error()));
    // A snapshot cannot be given away within a savepoint.
    if (auto ok = db.script("RELEASE SAVEPOINT looked"); !ok) return fail(for_operator(ok.error()));
    const auto moment = db.script("SELECT pg_export_snapshot()");
    if (!moment) return fail(for_operator(moment.error()));
    std::vector<std::string> command{program,
                                     "--format=custom",
                                     "--no-password",
                                     "--file=" + of.file.string(),
                                     "--schema=" + schema,
                                     "--snapshot=" + (*moment)[0][0].as<std::string>(),
                                     "--dbname=" + shown};
    // Tables of generations that are gone may be dropped at any moment.
    for (const auto& row : *left)
        command.push_back(
            fmt::format("--exclude-table={}.{}", schema, pattern(row[0].as<std::string>())));
    for (const auto& what : left_out) {
        if (what == "the snapshots") {
            command.push_back(fmt::format("--exclude-table-data={}.snapshots", schema));
        } else {
            command.push_back(fmt::format("--exclude-table={}.rows_*", schema));
            for (const char* table : {"generations", "models", "tables_left"})
                command.push_back(fmt::format("--exclude-table-data={}.{}", schema, table));
        }
    }
    return command;
}

result<void> run(copying& of, std::string_view what, const std::vector<std::string>& command,
                 const std::string& password) {
    const auto end = run_program(command, password, [&] { return of.watch(); });
    if (!end) return fail(end.error());
    if (of.stopped()) return copying::was_stopped();
    if (end->succeeded) return {};
    const bool full = end->said.find("No space left") != std::string::npos;
    return fail(full ? store_errc::full : store_errc::unavailable,
                fmt::format("{} {}: {}", command.front(), what, end->said));
}

result<void> write_guide(const fs::path& file, const verification& look,
                         const verify_report& report, const std::string& schema) {
    std::ofstream out{file};
    out << fmt::format(
        "A backup of {}\n"
        "made at {}: {} events in {} streams, head {}.\n"
        "\n"
        "To use it, into a database that has no schema {}:\n"
        "  createdb --encoding=UTF8 --template=template0 NEW\n{}"
        "  pg_restore --no-owner --exit-on-error --dbname=NEW {}\n"
        "and serve from that, with a data folder that has served from no other database:\n"
        "  flexcore serve --store postgresql://…/NEW --data NEW_FOLDER{}\n"
        "\n"
        "A server with its former data folder refuses to start on it for as long as events that\n"
        "were acknowledged are missing. When that is meant, move postgres.json out of the "
        "folder.\n",
        look.place(), format_time(now_unix_us()), report.events, report.streams, report.head,
        schema, schema == "public" ? "  psql --command='DROP SCHEMA public' NEW\n" : "", dump_name,
        schema == schema_by_default ? "" : " --set store.schema=" + for_a_shell(schema));
    out.close();
    if (out) return {};
    return fail(store_errc::unavailable, fmt::format("{} cannot be written", file.string()));
}

}  // namespace

result<backup_report> dump_into(const fs::path& folder, const store_settings& settings,
                                const verify_listener& progress,
                                const std::function<bool()>& stop) {
    auto look = verification::begin(settings, progress, stop);
    if (!look) return fail(std::move(look.error()));
    const auto& with = look->database().settings;
    const auto pg_dump = find_program("pg_dump");
    const auto pg_restore = find_program("pg_restore");
    if (pg_dump.empty() || pg_restore.empty()) return fail(no_programs(*look, with));
    const auto shown = without_secrets(with.where.hosts.front());
    if (!shown) return fail(shown.error());
    copying of{*look, folder / dump_name, progress, stop};
    auto looked = look->look_at_moment();
    if (of.stopped()) return copying::was_stopped();
    if (!looked) return fail(std::move(looked.error()));
    auto left_out = left_out_of(look->report(), look->structure_is_whole());
    if (!left_out) return fail(std::move(left_out.error()));
    const auto command = dump_command(of, pg_dump, shown->text, *left_out);
    if (!command) return fail(command.error());
    if (auto ok = run(of, "could not copy the database", *command, shown->password); !ok)
        return fail(std::move(ok.error()));
    (void)look->session().script("ROLLBACK");
    if (auto ok = run(of, "cannot read what pg_dump has written",
                      {pg_restore, "--file=/dev/null", of.file.string()}, {});
        !ok)
        return fail(std::move(ok.error()));
    backup_report done{.copy = look->report(), .left_out = std::move(*left_out)};
    if (auto ok = write_guide(folder / guide_name, *look, done.copy, with.schema); !ok)
        return fail(std::move(ok.error()));
    for (const char* name : {dump_name, guide_name}) {
        std::error_code problem;
        if (const auto bytes = fs::file_size(folder / name, problem); !problem) done.bytes += bytes;
    }
    return done;
}

}  // namespace flexcore::store::postgres
