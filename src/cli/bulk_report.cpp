#include "cli/bulk_report_impl.hpp"
#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
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
    if (tally.invalid_count() != 0) {
        out << fmt::format("invalid   {}\n", grouped(tally.invalid_count()));
        print_reasons(out, tally.invalid);
    }
    if (tally.failed_count() != 0) {
        out << fmt::format("failed    {}\n", grouped(tally.failed_count()));
        print_reasons(out, tally.failed);
        if (tally.failed.contains("internal") || tally.failed.contains("plugin_failed"))
            out << "  the server's log (standard error, or log.file) says why\n";
    }
    if (tally.stopped) out << "The input was not read to its end: later lines were not sent.\n";
    if (tally.again != 0) out << fmt::format("sent once more  {}\n", grouped(tally.again));
    const double rate = tally.seconds > 0 ? static_cast<double>(tally.sent) / tally.seconds : 0;
    out << fmt::format("{} {} in {:.1f} s, {}/s\n", grouped(tally.sent), noun, tally.seconds,
                       grouped(static_cast<std::uint64_t>(rate)));
}

void print_json(std::ostream& out, const bulk_tally& tally) {
    boost::json::object summary{{"sent", tally.sent},
                                {"accepted", tally.accepted},
                                {"refused", tally.refused_count()},
                                {"invalid", tally.invalid_count()},
                                {"failed", tally.failed_count()},
                                {"refused_by_reason", as_json(tally.refused)},
                                {"invalid_by_reason", as_json(tally.invalid)},
                                {"failed_by_reason", as_json(tally.failed)},
                                {"again", tally.again},
                                {"stopped", tally.stopped},
                                {"seconds", tally.seconds}};
    out << boost::json::serialize(summary) << '\n';
}

/// The first of the lines that are wrong as they stand, and what it says.
std::string first_invalid(const bulk_tally& tally) {
    const auto first = std::ranges::min_element(
        tally.invalid, {}, [](const auto& each) { return each.second.first_line; });
    return fmt::format(
        "line {}: {}", first->second.first_line,
        printable(first->second.detail.empty() ? first->first : first->second.detail));
}

/// The first SIGINT or SIGTERM stops a bulk in order, the second ends the process as usual. One at
/// a time. A read that waits for input is broken off.
class stop_by_signal {
public:
    explicit stop_by_signal(bulk& work) {
        signal_number = 0;
        target = &work;
        struct sigaction action{};
        action.sa_handler = [](int number) {
            signal_number = number;
            if (bulk* running = target) running->stop();
        };
        action.sa_flags = SA_RESETHAND;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            ::sigaction(numbers[i], &action, &before_[i]);
            // Whoever started us wants it ignored.
            if (before_[i].sa_handler == SIG_IGN) ::sigaction(numbers[i], &before_[i], nullptr);
        }
    }
    ~stop_by_signal() {
        for (std::size_t i = 0; i < numbers.size(); ++i)
            ::sigaction(numbers[i], &before_[i], nullptr);
        target = nullptr;
    }
    stop_by_signal(const stop_by_signal&) = delete;
    stop_by_signal& operator=(const stop_by_signal&) = delete;

    /// The signal; 0: none.
    [[nodiscard]] static int caught() noexcept { return signal_number; }

private:
    static constexpr std::array numbers{SIGINT, SIGTERM};
    // Lock-free, so that the handler may touch them.
    static inline std::atomic<bulk*> target;
    static inline std::atomic<int> signal_number;
    std::array<struct sigaction, numbers.size()> before_{};
};

}  // namespace

option add_bulk_options(subcommand app, bulk_options& options) {
    option file =
        app.add_option("--file", options.file, "NDJSON, one per line; - is standard input")
            .type_name("FILE");
    app.add_option("--concurrency", options.concurrency, "Connections to send over (default 4)")
        .range(1, 256)
        .type_name("N")
        .needs(file);
    app.add_option("--batch", options.batch, "Lines per request, at most (default 50)")
        .range(1, 1'000)
        .type_name("N")
        .needs(file);
    app.add_option("--retry-for", options.retry_for_s,
                   "Seconds a busy or unreachable server is asked again (default 30)")
        .between(0, 86'400)
        .type_name("SECONDS")
        .needs(file);
    app.add_flag("--allow-refused", options.allow_refused,
                 "Exit with 0 although lines were refused for how things stand (422, 409, 410), "
                 "as long as all were sound and answered")
        .needs(file);
    app.add_flag("--quiet", options.quiet, "No progress on standard error").needs(file);
    return file;
}

int run_bulk(const context& c, const client_options& client, const bulk_options& options,
             std::string target, const std::string& noun, bulk_prepare prepare) {
    auto probe = client_for(client);
    if (!probe) return report(c, probe.error());
    // A server that is not there is said at once, not after half a minute of trying.
    if (const auto alive = probe->ask({"GET", "/livez", {}, {}, {}}); !alive)
        return report(c, client, alive.error());

    std::ifstream file;
    double total = 0;
    if (options.file != "-") {
        auto opened = open_input("--file", options.file);
        if (!opened) return report(c, opened.error());
        file = std::move(*opened);
        std::error_code unknown;
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
    stop_by_signal signals{work};
    std::optional<progress> line;
    if (!options.quiet)
        line.emplace(noun, [&work, total] {
            const bulk_progress p = work.so_far();
            return progress::state{p.answered,
                                   total > 0 ? static_cast<double>(p.bytes_done) / total : -1};
        });
    const bulk_tally tally = work.run(options.file == "-" ? c.io.in : file);
    line.reset();
    if (client.json)
        print_json(c.io.out, tally);
    else
        print(c.io.out, tally, noun);
    if (const int caught = signals.caught(); caught != 0) return exit_by_signal + caught;
    if (const auto invalid = tally.invalid_count(); invalid != 0)
        c.io.err << fmt::format(
            "error: {}{}: {}\n",
            invalid == 1 ? "a line cannot be taken as it stands"
                         : grouped(invalid) + " lines cannot be taken as they stand",
            options.allow_refused ? ", which --allow-refused does not excuse" : "",
            first_invalid(tally));
    const bool refused = tally.refused_count() != 0 && !options.allow_refused;
    return tally.failed_count() != 0 || tally.invalid_count() != 0 || tally.stopped || refused
               ? exit_refused
               : exit_done;
}

}  // namespace flexcore::cli
