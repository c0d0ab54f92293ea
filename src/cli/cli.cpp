#include "cli/cli.hpp"

#include "app/application.hpp"
#include "app/settings.hpp"
#include "base/nearest.hpp"
#include "cli/subcommands_impl.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace flexcore::cli {
namespace {

/// The sub-command that was reached, and how it was called.
const CLI::App& deepest(const CLI::App& app, std::string& path) {
    const CLI::App* at = &app;
    path = app.get_name();
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        path += " " + at->get_name();
    }
    return *at;
}

std::vector<std::string> names_in(const CLI::App& app, bool options) {
    std::vector<std::string> names;
    if (options)
        for (const CLI::Option* option : app.get_options())
            for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    else
        for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
            names.push_back(sub->get_name());
    return names;
}

/// What CLI11 says names the texts it could not place; the nearest right one is ours to find.
std::string usage_error(const CLI::App& app, const CLI::ParseError& e) {
    std::string path;
    const CLI::App& reached = deepest(app, path);
    const std::vector<std::string> extra = app.remaining(true);
    // A misspelt sub-command is also a missing one, which CLI11 says first.
    const bool misplaced = dynamic_cast<const CLI::ExtrasError*>(&e) != nullptr ||
                           dynamic_cast<const CLI::RequiredError*>(&e) != nullptr;
    if (extra.empty() && misplaced && !names_in(reached, false).empty())
        return fmt::format("{}: a sub-command is missing; there are {}", path,
                           fmt::join(names_in(reached, false), ", "));
    if (extra.empty() || !misplaced) return fmt::format("{}: {}", path, e.what());
    const std::string& word = extra.front();
    const bool option = word.starts_with('-');
    const std::vector<std::string> names = names_in(reached, option);
    const auto near = nearest_name(word.substr(0, word.find('=')), names);
    const char* kind = option ? "option" : names.empty() ? "argument" : "sub-command";
    if (option && near == word.substr(0, word.find('=')))
        return fmt::format("{0}: {1} stands after the sub-command: {0} {1} …", path, *near);
    std::string text = fmt::format("{}: unknown {} \"{}\"", path, kind, word);
    if (!option && reached.get_option_no_throw("--param") != nullptr)
        text += word.find('=') == std::string::npos
                    ? "; parameters are given as --param NAME=VALUE"
                    : fmt::format("; did you mean --param {}?", word);
    else if (near)
        text += fmt::format("; did you mean {}?", *near);
    else if (!option && !names.empty())
        text += fmt::format("; there are {}", fmt::join(names, ", "));
    return text;
}

}  // namespace

int run(std::span<const std::string> args, streams io) {
    context c{io, app::environment(), {}};
    CLI::App app{"FlexCore: an event-sourced application server in one executable", "flexcore"};
    app.require_subcommand(1);
    app.set_version_flag("--version", "flexcore " + std::string{app::version()});
    app.footer(
        "Examples:\n"
        "  flexcore serve --plugin build/release/plugins/counter.so\n"
        "  flexcore command send counter.increment c1 --data '{\"by\": 1}'\n"
        "  flexcore events tail --from start\n"
        "Exit code: 0 done; 1 refused or failed; 2 the command line, the settings or a file they "
        "name\n"
        "are wrong as they stand.\n"
        "`flexcore SUBCOMMAND --help` tells more.");
    add_serve(app, c);
    add_config(app, c);
    add_command(app, c);
    add_query(app, c);
    add_events(app, c);
    add_catalogues(app, c);
    add_streams(app, c);
    add_read_model(app, c);
    add_projections(app, c);
    add_plugins(app, c);
    add_status(app, c);
    add_bench(app, c);
    add_doctor(app, c);
    add_completion(app, c);
    add_verify(app, c);

    // CLI11 takes them from the back.
    std::vector<std::string> reversed(args.rbegin(), args.rend());
    if (!reversed.empty() && reversed.back() == "help") {  // `help query` is `query --help`
        reversed.pop_back();
        reversed.insert(reversed.begin(), "--help");
    }
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::Success& e) {
        return app.exit(e, io.out, io.err);  // --help, --version
    } catch (const CLI::ParseError& e) {
        std::string path;
        (void)deepest(app, path);
        io.err << fmt::format("error: {}\n`{} --help` tells more\n", usage_error(app, e), path);
        return exit_usage;
    }
    const int code = c.action();
    io.out.flush();
    if (io.out) return code;
    // A full disk must not pass for success.
    io.err << "error: the output cannot be written\n";
    return code == exit_done ? exit_refused : code;
}

}  // namespace flexcore::cli
