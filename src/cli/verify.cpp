// flexcore verify
#include "app/data_folder.hpp"
#include "cli/data_options_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace flexcore::cli {
namespace {

// Of the findings that are said alike, as many are shown; --json has all.
constexpr std::size_t findings_shown_max = 20;

boost::json::object json_of(const store::verify_report& report) {
    boost::json::array findings;
    for (const auto& one : report.findings) {
        boost::json::object said{{"file", one.file}, {"what", one.what}, {"remedy", one.remedy}};
        if (one.page != 0) said["page"] = one.page;
        if (one.first != 0) {
            said["first_position"] = one.first;
            said["last_position"] = one.last;
        }
        findings.push_back(std::move(said));
    }
    return {{"sound", report.sound()},
            {"data", report.place},
            {"in_use", report.in_use},
            {"log_read", report.log_read},
            {"counted_in_part", report.partly},
            {"head", report.head},
            {"events", report.events},
            {"removed_events", report.removed},
            {"streams", report.streams},
            {"idempotency_keys", report.keys},
            {"read_models", report.read_models},
            {"rows", report.rows},
            {"pages", report.pages},
            {"pages_without_checksum", report.unsealed_pages},
            {"indexes", report.indexes},
            {"snapshots", report.snapshots},
            {"not_looked_at", boost::json::array(report.notes.begin(), report.notes.end())},
            {"findings", std::move(findings)},
            {"findings_left_out", report.left_out}};
}

/// The line on what holds the records: pages of files, or indexes of a database.
std::string holders_of(const store::verify_report& report) {
    if (report.database) {
        return fmt::format("{} snapshots, {} indexes looked through", grouped(report.snapshots),
                           grouped(report.indexes));
    }
    return fmt::format(
        "{} pages{}", grouped(report.pages),
        report.unsealed_pages == 0
            ? ""
            : fmt::format(", {} of them without a checksum: made by an early version",
                          grouped(report.unsealed_pages)));
}

void print(std::ostream& out, const store::verify_report& report) {
    const char* used =
        report.database ? " (servers are connected to the database)" : " (a server has it open)";
    out << fmt::format("{}{}\n{}  {}\n", printable(report.place), report.in_use ? used : "",
                       counts_of(report), holders_of(report));
    for (const auto& note : report.notes) out << fmt::format("note: {}\n", note);
    if (report.sound()) {
        out << "everything is as it was written\n";
        return;
    }
    const std::uint64_t all = report.findings.size() + report.left_out;
    out << fmt::format("{} finding{}\n", grouped(all), all == 1 ? "" : "s");
    std::vector<std::string> remedies;
    std::size_t shown = 0;
    for (const auto& one : report.findings) {
        if (std::find(remedies.begin(), remedies.end(), one.remedy) == remedies.end())
            remedies.push_back(one.remedy);
        if (++shown <= findings_shown_max)
            out << fmt::format("  {}: {}\n", one.file, printable(one.what));
    }
    if (all > findings_shown_max)
        out << fmt::format("  and {} more (--json lists them)\n",
                           grouped(all - findings_shown_max));
    out << "What to do\n";
    for (const auto& remedy : remedies) out << fmt::format("  {}\n", remedy);
}

int verify(const context& c, const data_options& o) {
    const auto settings = store_of(c, o);
    if (!settings) return exit_usage;
    auto report = with_progress(o, "pages, events and rows looked at", [&](const auto& tell) {
        return app::verify_store(*settings, tell);
    });
    if (!report) return cli::report(c, as_client(o), report.error());
    if (o.json)
        c.io.out << boost::json::serialize(json_of(*report)) << '\n';
    else
        print(c.io.out, *report);
    return report->sound() ? exit_done : exit_refused;
}

}  // namespace

void add_verify(subcommand app, context& c) {
    const subcommand verify_app = app.add_subcommand(
        "verify", "Look at every page, event and row of a store, and name what is damaged");
    auto o = std::make_shared<data_options>();
    add_data_options(verify_app, *o);
    verify_app.footer(
        "SQLite: reads the files of this machine. PostgreSQL: asks the database for one moment of\n"
        "it, a page at a time; a standby will do (?target_session_attrs=any). Changes nothing;\n"
        "servers may run. What its indexes hold is looked at where the extension amcheck is.\n"
        "The store is the one that `flexcore serve` would take with the same flags, variables\n"
        "(DATABASE_URL) and file.\n"
        "Exit code: 0 everything is as it was written; 1 something is not, or cannot be read;\n"
        "2 wrong usage, or no data folder or schema of a server is there.\n"
        "Examples:\n"
        "  flexcore verify --data /var/lib/flexcore\n"
        "  flexcore verify --store postgresql://flexcore@db/shop --set store.schema=shop\n"
        "  flexcore verify --config config/flexcore.toml --json");
    verify_app.callback([o, &c] { c.action = [o, &c] { return verify(c, *o); }; });
}

}  // namespace flexcore::cli
