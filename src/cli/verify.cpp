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

boost::json::object json_of(const std::string& data, const store::verify_report& report) {
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
            {"data", data},
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
            {"findings", std::move(findings)},
            {"findings_left_out", report.left_out}};
}

void print(std::ostream& out, const std::string& data, const store::verify_report& report) {
    out << fmt::format("{}{}\n{}  {} pages", printable(data),
                       report.in_use ? " (a server has it open)" : "", counts_of(report),
                       grouped(report.pages));
    if (report.unsealed_pages != 0) {
        out << fmt::format(", {} of them without a checksum: made by an early version",
                           grouped(report.unsealed_pages));
    }
    out << '\n';
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
    const auto data = data_of(c, o);
    if (!data) return exit_usage;
    auto report = with_progress(o, "pages, events and rows looked at",
                                [&](const auto& tell) { return app::verify_data(*data, tell); });
    if (!report) return cli::report(c, as_client(o), report.error());
    if (o.json)
        c.io.out << boost::json::serialize(json_of(*data, *report)) << '\n';
    else
        print(c.io.out, *data, *report);
    return report->sound() ? exit_done : exit_refused;
}

}  // namespace

void add_verify(subcommand app, context& c) {
    const subcommand verify_app = app.add_subcommand(
        "verify", "Look at every page, event and row of a data folder, and name what is damaged");
    auto o = std::make_shared<data_options>();
    add_data_options(verify_app, *o);
    verify_app.footer(
        "Reads the files of this machine and changes nothing; a server may have them open.\n"
        "Exit code: 0 everything is as it was written; 1 something is not, or cannot be read;\n"
        "2 wrong usage, or no data folder of a server is there.\n"
        "Examples:\n"
        "  flexcore verify --data /var/lib/flexcore\n"
        "  flexcore verify --config config/flexcore.toml --json");
    verify_app.callback([o, &c] { c.action = [o, &c] { return verify(c, *o); }; });
}

}  // namespace flexcore::cli
