// flexcore serve, flexcore config
#include "app/application.hpp"
#include "app/settings.hpp"
#include "cli/serve_options_impl.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

constexpr const char* examples_of_flags =
    "Settings come from the file, FLEXCORE_… variables (http.port is FLEXCORE_HTTP_PORT) and\n"
    "flags; what comes later wins. `flexcore config example` prints all settings, explained.\n";

result<app::loaded_settings> load(const context& c, const serve_options& o) {
    auto inputs = setting_inputs_of(c, o);
    if (!inputs) return fail(inputs.error());
    auto loaded = app::load_settings(*inputs);
    // Settings are no usage error: the command line may be right and a file wrong.
    if (!loaded)
        return fail(base_errc::io,
                    fmt::format("the settings are not valid\n{}", app::to_text(loaded.error())));
    return std::move(*loaded);
}

/// A settings error is a list of lines already.
int report_settings(const context& c, const error& e) {
    error trimmed = e;
    while (trimmed.client.ends_with('\n')) trimmed.client.pop_back();
    return report(c, trimmed);
}

int serve(const context& c, const serve_options& o, const std::string& port_file) {
    auto loaded = load(c, o);
    if (!loaded) return report_settings(c, loaded.error());
    const auto served = app::serve(*loaded, {port_file}, c.io.out);
    if (!served) return report(c, served.error());
    return *served;
}

int check(const context& c, const serve_options& o, bool json) {
    const auto loaded = load(c, o);
    if (json) {
        boost::json::object answer{{"valid", loaded.has_value()}};
        if (!loaded) answer["problems"] = loaded.error().client;
        c.io.out << boost::json::serialize(answer) << '\n';
    }
    if (!loaded) return report_settings(c, loaded.error());
    const auto set =
        std::ranges::count_if(loaded->sources, [](const auto& s) { return s.second != "default"; });
    if (!json)
        c.io.out << fmt::format("the settings are valid; {} differ from the defaults\n", set);
    return exit_done;
}

int show(const context& c, const serve_options& o, bool json) {
    const auto loaded = load(c, o);
    if (!loaded) return report_settings(c, loaded.error());
    if (json)
        c.io.out << app::settings_as_json(*loaded) << '\n';
    else
        c.io.out << app::settings_as_toml(*loaded);
    return exit_done;
}

}  // namespace

void add_serve_options(CLI::App& app, serve_options& o) {
    const auto many = [&app](const char* name, std::vector<std::string>& into, const char* about) {
        app.add_option(name, into, about)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    app.add_option("--config", o.config, "Settings file (default: FLEXCORE_CONFIG, else none)");
    app.add_option("--data", o.data, "Data folder [store.data]");
    app.add_option("--listen", o.listen, "HOST:PORT to listen on [http.host, http.port]");
    app.add_option("--store", o.store, "Where events are kept [store.url]");
    many("--plugin", o.plugins, "Plugin FILE.so to load; may be repeated [plugins.load]");
    many("--plugin-dir", o.plugin_dirs,
         "Folder that plugins may come from; may be repeated "
         "[plugins.dirs]");
    app.add_option("--log-level", o.log_level, "Least severe log lines written [log.level]");
    app.add_option("--log-format", o.log_format, "text or json [log.format]");
    many("--set", o.set, "Any other setting, KEY=VALUE; may be repeated");
}

result<app::setting_inputs> setting_inputs_of(const context& c, const serve_options& o) {
    app::setting_inputs in;
    in.environment = c.environment;
    const auto variable = c.environment.find("FLEXCORE_CONFIG");
    if (!o.config.empty())
        in.file = o.config;
    else if (variable != c.environment.end() && !variable->second.empty())
        in.file = variable->second;

    const auto set = [&](const char* key, const std::string& text, const char* flag) {
        if (!text.empty()) in.flags.push_back({key, text, flag});
    };
    set("store.data", o.data, "--data");
    set("store.url", o.store, "--store");
    set("log.level", o.log_level, "--log-level");
    set("log.format", o.log_format, "--log-format");
    if (!o.listen.empty()) {
        const std::size_t colon = o.listen.rfind(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == o.listen.size())
            return fail(
                base_errc::invalid_argument,
                fmt::format("--listen must be HOST:PORT, as 127.0.0.1:8080, not \"{}\"", o.listen));
        std::string host = o.listen.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        set("http.host", host, "--listen");
        set("http.port", o.listen.substr(colon + 1), "--listen");
    }
    set("plugins.dirs", fmt::format("{}", fmt::join(o.plugin_dirs, ",")), "--plugin-dir");
    for (const std::string& plugin : o.plugins) set("plugins.load", plugin, "--plugin");
    for (const std::string& pair : o.set) {
        const std::size_t equals = pair.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(base_errc::invalid_argument,
                        fmt::format("--set must be KEY=VALUE, not \"{}\"", pair));
        in.flags.push_back({pair.substr(0, equals), pair.substr(equals + 1), "--set " + pair});
    }
    return in;
}

void add_serve(CLI::App& app, context& c) {
    auto* serve_app = app.add_subcommand("serve", "Run the server");
    auto o = std::make_shared<serve_options>();
    auto port_file = std::make_shared<std::string>();
    add_serve_options(*serve_app, *o);
    serve_app->add_option("--port-file", *port_file,
                          "Write the port here once the server listens (with port 0)");
    serve_app->footer(std::string{examples_of_flags} +
                      "SIGTERM or Ctrl-C: running requests finish, then it ends; a second time: at "
                      "once.\n"
                      "Examples:\n"
                      "  flexcore serve\n"
                      "  flexcore serve --data /var/lib/flexcore --plugin plugins/orders.so\n"
                      "  flexcore serve --config config/flexcore.toml --listen 127.0.0.1:9000\n"
                      "  flexcore serve --set http.drain_ms=5s --log-format json");
    serve_app->callback(
        [o, port_file, &c] { c.action = [o, port_file, &c] { return serve(c, *o, *port_file); }; });
}

void add_config(CLI::App& app, context& c) {
    auto* config = app.add_subcommand("config", "Check and show settings without starting");
    config->require_subcommand(1);
    using runner = int (*)(const context&, const serve_options&, bool);
    const auto add = [&](const char* name, const char* about, runner run) {
        auto* sub = config->add_subcommand(name, about);
        auto o = std::make_shared<serve_options>();
        auto json = std::make_shared<bool>(false);
        add_serve_options(*sub, *o);
        sub->add_flag("--json", *json, "Print JSON for programs");
        sub->footer(fmt::format("{}Examples:\n  flexcore config {} --config config/flexcore.toml\n",
                                examples_of_flags, name));
        sub->callback(
            [o, json, run, &c] { c.action = [o, json, run, &c] { return run(c, *o, *json); }; });
    };
    add("check", "Validate the settings; exit code 1 lists what is wrong", check);
    add("show", "Print every setting with its value and where it comes from", show);
    auto* example = config->add_subcommand(
        "example", "Print a settings file with every setting's default, explained");
    example->footer("Examples:\n  flexcore config example > flexcore.toml");
    example->callback([&c] {
        c.action = [&c] {
            c.io.out << app::settings_example();
            return exit_done;
        };
    });
}

}  // namespace flexcore::cli
