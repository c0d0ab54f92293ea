#include "cli/bulk_report_impl.hpp"
#include "cli/terminal.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <fstream>
#include <ostream>

namespace flexcore::cli {
namespace {

void print_reasons(std::ostream& out, const std::map<std::string, bulk_reason>& reasons) {
    if (reasons.empty()) return;
    table t{{"  reason", "count", "first line", "which says"}};
    for (const auto& [name, reason] : reasons)
        t.add({"  " + name, grouped(reason.count), grouped(reason.first_line), reason.detail});
    t.print(out, terminal_columns(1));
}

boost::json::object as_json(const std::map<std::string, bulk_reason>& reasons) {
    boost::json::object out;
    for (const auto& [name, reason] : reasons)
        out[name] = {
            {"count", reason.count}, {"first_line", reason.first_line}, {"detail", reason.detail}};
    return out;
}

void print(std::ostream& out, const bulk_tally& tally, const std::string& noun) {
    out << fmt::format("accepted  {}\n", grouped(tally.accepted));
    out << fmt::format("refused   {}\n", grouped(tally.refused_count()));
    print_reasons(out, tally.refused);
    if (tally.failed_count() != 0) {
        out << fmt::format("failed    {}\n", grouped(tally.failed_count()));
        print_reasons(out, tally.failed);
    }
    if (tally.again != 0) out << fmt::format("sent once more  {}\n", grouped(tally.again));
    const double rate = tally.seconds > 0 ? static_cast<double>(tally.sent) / tally.seconds : 0;
    out << fmt::format("{} {} in {:.1f} s, {}/s\n", grouped(tally.sent), noun, tally.seconds,
                       grouped(static_cast<std::uint64_t>(rate)));
}

void print_json(std::ostream& out, const bulk_tally& tally) {
    boost::json::object summary{{"sent", tally.sent},
                                {"accepted", tally.accepted},
                                {"refused", tally.refused_count()},
                                {"failed", tally.failed_count()},
                                {"refused_by_reason", as_json(tally.refused)},
                                {"failed_by_reason", as_json(tally.failed)},
                                {"again", tally.again},
                                {"seconds", tally.seconds}};
    out << boost::json::serialize(summary) << '\n';
}

}  // namespace

void add_bulk_options(CLI::App& app, bulk_options& options) {
    app.add_option("--file", options.file, "NDJSON, one per line; - is standard input");
    app.add_option("--concurrency", options.concurrency, "Connections to send over (default 4)")
        ->check(CLI::Range(1, 256));
    app.add_option("--batch", options.batch, "Lines per request, at most (default 50)")
        ->check(CLI::Range(1, 1'000));
    app.add_option("--retry-for", options.retry_for_s,
                   "Seconds a busy or unreachable server is asked again (default 30)")
        ->check(CLI::Range(0.0, 86'400.0));
    app.add_flag("--allow-refused", options.allow_refused,
                 "Exit with 0 although lines were refused, as long as all were answered");
    app.add_flag("--quiet", options.quiet, "No progress on standard error");
}

int run_bulk(const context& c, const client_options& client, const bulk_options& options,
             std::string target, const std::string& noun, bulk_prepare prepare) {
    auto probe = client_for(client);
    if (!probe) return report(c, probe.error());
    // A server that is not there is said at once, not after half a minute of trying.
    if (const auto alive = probe->ask({"GET", "/livez", {}, {}, {}}); !alive)
        return report(c, alive.error());

    std::ifstream file;
    double total = 0;
    if (options.file != "-") {
        file.open(options.file, std::ios::binary);
        std::error_code unknown;
        if (!file || std::filesystem::is_directory(options.file, unknown))
            return report(c, {make_error_code(cli_errc::bad_input),
                              fmt::format("--file: cannot read \"{}\"", options.file)});
        const auto size = std::filesystem::file_size(options.file, unknown);
        if (!unknown) total = static_cast<double>(size);
    }
    bulk_settings settings;
    settings.where = probe->where();
    settings.bounds.silence = std::chrono::milliseconds{static_cast<long>(client.timeout_s * 1e3)};
    settings.target = std::move(target);
    settings.headers = headers_for(client);
    settings.concurrency = options.concurrency;
    settings.batch_lines = options.batch;
    settings.retry_for = std::chrono::milliseconds{static_cast<long>(options.retry_for_s * 1e3)};

    bulk work{std::move(settings), std::move(prepare)};
    std::optional<progress> line;
    if (!options.quiet)
        line.emplace(noun, [&work, total] {
            const bulk_progress p = work.so_far();
            return progress::state{p.answered,
                                   total > 0 ? static_cast<double>(p.bytes_read) / total : -1};
        });
    const bulk_tally tally = work.run(options.file == "-" ? c.io.in : file);
    line.reset();
    if (client.json)
        print_json(c.io.out, tally);
    else
        print(c.io.out, tally, noun);
    const bool refused = tally.refused_count() != 0 && !options.allow_refused;
    return tally.failed_count() != 0 || refused ? exit_refused : exit_done;
}

}  // namespace flexcore::cli
