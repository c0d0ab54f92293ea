// flexcore doctor: whether this machine is fit for a server with these settings.
#include "cli/doctor_impl.hpp"
#include "cli/serve_options_impl.hpp"
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

std::string_view name_of(verdict is) {
    switch (is) {
        case verdict::ok:
            return "ok";
        case verdict::warn:
            return "warn";
        case verdict::bad:
            return "bad";
    }
    return "bad";
}

std::vector<finding> findings_of(const context& c, const serve_options& o) {
    std::vector<finding> all;
    const auto loaded = load_settings_of(c, o, app::named_files::looked_at);
    if (!loaded)
        for (const auto& [where, text] : loaded.error())
            all.push_back({"settings", verdict::bad, fmt::format("{}: {}", where, text),
                           "the server would not start; mend it (`flexcore config check`)"});
    if (loaded)
        for (const auto& [where, text] : loaded->doubts)
            all.push_back({"settings", verdict::warn, fmt::format("{}: {}", where, text),
                           "the server would start; see whether it is meant so"});
    if (all.empty()) all.push_back({"settings", verdict::ok, "valid", {}});
    // The rest is still worth knowing: for the values when only a file is missing that they name,
    // else for the defaults.
    const auto read = load_settings_of(c, o, app::named_files::unseen);
    const app::settings values = read ? read->values : app::settings{};
    check_versions(all);
    check_limits(values, all);
    check_disk(values, all);
    check_database(values, all);
    check_clock(all);
    check_port(values, all);
    return all;
}

/// A piece of advice, and the checks it is for: one for each finding.
struct advice {
    std::string text;
    std::vector<std::string> checks;
};
std::vector<advice> advice_of(const std::vector<finding>& all) {
    std::vector<advice> out;
    for (const finding& each : all) {
        if (each.advice.empty()) continue;
        const auto known = std::ranges::find(out, each.advice, &advice::text);
        if (known == out.end())
            out.push_back({each.advice, {each.check}});
        else
            known->checks.push_back(each.check);
    }
    return out;
}

/// "settings (3 findings)", "disk, free space".
std::string subjects_of(const std::vector<std::string>& checks) {
    std::string out;
    for (auto at = checks.begin(); at != checks.end(); ++at) {
        if (std::find(checks.begin(), at, *at) != at) continue;
        const auto times = std::count(at, checks.end(), *at);
        out += fmt::format("{}{}", out.empty() ? "" : ", ", *at);
        if (times > 1) out += fmt::format(" ({} findings)", times);
    }
    return out;
}

int doctor(const context& c, const serve_options& o, bool json) {
    const auto all = findings_of(c, o);
    const bool bad =
        std::ranges::any_of(all, [](const finding& f) { return f.is == verdict::bad; });
    if (json) {
        boost::json::array checks;
        for (const finding& each : all)
            checks.push_back({{"check", each.check},
                              {"verdict", name_of(each.is)},
                              {"found", each.found},
                              {"advice", each.advice}});
        c.io.out << boost::json::serialize(
                        boost::json::object{{"fit", !bad}, {"checks", std::move(checks)}})
                 << '\n';
        return bad ? exit_refused : exit_done;
    }
    table t{{"", "check", "found"}};
    for (const finding& each : all) t.add({std::string{name_of(each.is)}, each.check, each.found});
    t.print(c.io.out, 0);
    const auto advised = advice_of(all);
    if (!advised.empty()) c.io.out << "\nto change:\n";
    for (const auto& [text, checks] : advised)
        c.io.out << fmt::format("  {}: {}\n", subjects_of(checks), printable(text));
    return bad ? exit_refused : exit_done;
}

}  // namespace

void add_doctor(subcommand app, context& c) {
    const subcommand one =
        app.add_subcommand("doctor", "Whether this machine is fit for a server, what to change");
    auto o = std::make_shared<serve_options>();
    auto json = std::make_shared<bool>(false);
    add_serve_options(one, *o);
    one.add_flag("--json", *json, "Print JSON for programs");
    one.footer(
        "Looks at the settings and the files they name, limits, the data folder, the disk under "
        "it\n"
        "(it writes a small file there and removes it), the clock and the port, in a few seconds.\n"
        "PostgreSQL: looks at the database instead of the disk: versions, latencies (some empty\n"
        "messages go to its log), settings that what is acknowledged depends on, standbys,\n"
        "connections, TLS, poolers, the clock there.\n"
        "Takes the flags of `flexcore serve`: give it the same. A server that runs with them is a\n"
        "warning: a second one would be refused.\n"
        "Exit code: 0 fit, perhaps with warnings; 1 something is bad; 2 wrong usage.\n"
        "Examples:\n"
        "  flexcore doctor\n"
        "  flexcore doctor --data /var/lib/flexcore --listen 127.0.0.1:9000\n"
        "  flexcore doctor --store postgresql://flexcore@db/shop\n"
        "  flexcore doctor --config config/flexcore.toml --json");
    one.callback([o, json, &c] { c.action = [o, json, &c] { return doctor(c, *o, *json); }; });
}

}  // namespace flexcore::cli
