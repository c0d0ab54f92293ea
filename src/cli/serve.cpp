// flexcore serve, flexcore config
#include "app/application.hpp"
#include "app/settings.hpp"
#include "cli/doctor_impl.hpp"
#include "cli/serve_options_impl.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <expected>
#include <functional>
#include <memory>
#include <ostream>

namespace flexcore::cli {
namespace {

constexpr const char* exit_codes_of_serve =
    "Exit code: 0 ended in order; 1 the start failed (a port that is taken, a folder in use), or\n"
    "the stop took too long; 2 the flags, variables or file are wrong, or name files that are not\n"
    "there; 130 ended at once by a second signal.\n";
constexpr const char* exit_codes_of_config = "Exit code: 0 valid; 2 something is wrong.\n";
constexpr const char* looks_at =
    "Looks at the settings and at the files they name (plugins, plugins.dirs, store.data), as\n"
    "`flexcore serve` does before it starts; `flexcore doctor` looks at the port, the disk and\n"
    "whether the folder is in use too.\n";
constexpr const char* examples_of_flags =
    "Settings come from the file, FLEXCORE_… variables (http.port is FLEXCORE_HTTP_PORT) and\n"
    "flags; what comes later wins. `flexcore config example` prints all settings, explained.\n";

int refuse(const context& c, const std::vector<app::settings_problem>& problems, bool json) {
    if (json) {
        boost::json::array all;
        for (const app::settings_problem& p : problems)
            all.push_back({{"where", p.where}, {"text", p.text}});
        c.io.out << boost::json::serialize(boost::json::object{{"valid", false}, {"problems", all}})
                 << '\n';
    }
    c.io.err << "error: the settings are not valid\n" << app::to_text(problems);
    return exit_usage;
}

int serve(const context& c, const serve_options& o, const std::string& port_file) {
    const auto loaded = load_settings_of(c, o, app::named_files::looked_at);
    if (!loaded) return refuse(c, loaded.error(), false);
    const auto served = app::serve(*loaded, {port_file}, c.io.out);
    // Whether anybody read the greeting does not matter to a server.
    c.io.out.clear();
    if (served) return *served;
    error e = served.error();
    if (e.code == std::errc::address_in_use) {
        const auto& http = loaded->values.http;
        if (const auto other = server_at(http.host, http.port))
            e.client += fmt::format(" FlexCore {} serves there now.", *other);
    }
    return report(c, e);
}

int check(const context& c, const serve_options& o, bool json) {
    const auto loaded = load_settings_of(c, o, app::named_files::looked_at);
    if (!loaded) return refuse(c, loaded.error(), json);
    const auto set =
        std::ranges::count_if(loaded->sources, [](const auto& s) { return s.second != "default"; });
    if (json)
        c.io.out << "{\"valid\":true}\n";
    else
        c.io.out << fmt::format("the settings are valid; {} differ from the defaults\n", set);
    return exit_done;
}

int show(const context& c, const serve_options& o, bool json) {
    const auto loaded = load_settings_of(c, o, app::named_files::unseen);
    if (!loaded) return refuse(c, loaded.error(), json);
    if (json)
        c.io.out << app::settings_as_json(*loaded) << '\n';
    else
        c.io.out << app::settings_as_toml(*loaded);
    return exit_done;
}

/// HOST:PORT; an IPv6 address stands in brackets. Says what is wrong with it, if anything is.
std::string add_listen(std::vector<app::flag_value>& flags, const std::string& text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
        return fmt::format("--listen must be HOST:PORT, as 127.0.0.1:8080, not \"{}\"", text);
    std::string host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    flags.push_back({"http.host", host, "--listen"});
    flags.push_back({"http.port", text.substr(colon + 1), "--listen"});
    return {};
}

std::string add_set(std::vector<app::flag_value>& flags, const std::string& pair) {
    const std::size_t equals = pair.find('=');
    // Without '=' it may be a value, and that a secret: the name of the flag must do.
    if (equals == std::string::npos || equals == 0) return "--set must be KEY=VALUE";
    const std::string key = pair.substr(0, equals);
    flags.push_back({key, pair.substr(equals + 1), "--set " + key});
    return {};
}

}  // namespace

std::expected<app::loaded_settings, std::vector<app::settings_problem>> load_settings_of(
    const context& c, const serve_options& o, app::named_files named) {
    app::setting_inputs in{std::nullopt, c.environment, o.flags};
    const auto variable = c.environment.find("FLEXCORE_CONFIG");
    if (o.config)
        in.file = *o.config;
    else if (variable != c.environment.end() && !variable->second.empty())
        in.file = variable->second;
    return app::load_settings(in, named);
}

void add_setting(subcommand app, serve_options& o, const char* name, const char* key,
                 const char* type, const char* about) {
    const auto take = [&o, name, key](const std::string& text) {
        o.flags.push_back({key, text, name});
        return std::string{};
    };
    app.add_option(name, take, about).type_name(type);
}

void add_config_option(subcommand app, serve_options& o) {
    app.add_option("--config", o.config, "Settings file (default: FLEXCORE_CONFIG, else none)")
        .type_name("FILE");
}

void add_data_option(subcommand app, serve_options& o) {
    add_setting(app, o, "--data", "store.data", "FOLDER", "Data folder [store.data]");
}

void add_store_option(subcommand app, serve_options& o) {
    add_setting(app, o, "--store", "store.url",
                "sqlite:|postgresql://…|memory:", "Where events are kept [store.url]");
}

void add_set_option(subcommand app, serve_options& o) {
    app.add_repeatable(
           "--set",
           [&o](const std::vector<std::string>& pairs) {
               std::string wrong;
               for (const std::string& pair : pairs)
                   if (wrong.empty()) wrong = add_set(o.flags, pair);
               return wrong;
           },
           "Any other setting; may be repeated")
        .type_name("KEY=VALUE");
}

void add_serve_options(subcommand app, serve_options& o) {
    using texts = std::vector<std::string>;
    const auto one = [&](const char* name, const char* key, const char* type, const char* about) {
        add_setting(app, o, name, key, type, about);
    };
    add_config_option(app, o);
    add_data_option(app, o);
    app.add_option(
           "--listen", [&o](const std::string& text) { return add_listen(o.flags, text); },
           "Address to listen on [http.host, http.port]")
        .type_name("HOST:PORT");
    add_store_option(app, o);
    app.add_repeatable(
           "--plugin",
           [&o](const texts& files) {
               for (const std::string& file : files)
                   o.flags.push_back({"plugins.load", file, "--plugin", true});
               return std::string{};
           },
           "Plugin FILE.so to load; may be repeated [plugins.load]")
        .type_name("FILE");
    app.add_repeatable(
           "--plugin-dir",
           [&o](const texts& folders) {
               o.flags.push_back(
                   {"plugins.dirs", fmt::format("{}", fmt::join(folders, ",")), "--plugin-dir"});
               return std::string{};
           },
           "Folder that plugins may come from, instead of `plugins` beside the executable; may be "
           "repeated [plugins.dirs]")
        .type_name("FOLDER");
    one("--log-level", "log.level", "trace|debug|info|warn|error|off",
        "Least severe log lines written [log.level]");
    one("--log-format", "log.format", "text|json", "For people or programs [log.format]");
    add_set_option(app, o);
}

void add_serve(subcommand app, context& c) {
    const subcommand serve_app = app.add_subcommand("serve", "Run the server");
    auto o = std::make_shared<serve_options>();
    auto port_file = std::make_shared<std::string>();
    add_serve_options(serve_app, *o);
    serve_app
        .add_option("--port-file", *port_file,
                    "Write the port here once the server listens (with port 0)")
        .type_name("FILE");
    serve_app.footer(std::string{examples_of_flags} +
                     "SIGTERM or Ctrl-C: running requests finish, then it ends; a second time: at "
                     "once.\n" +
                     exit_codes_of_serve +
                     "Examples:\n"
                     "  flexcore serve\n"
                     "  flexcore serve --data /var/lib/flexcore --plugin plugins/orders.so\n"
                     "  flexcore serve --config config/flexcore.toml --listen 127.0.0.1:9000\n"
                     "  flexcore serve --set http.drain_ms=5s --log-format json");
    serve_app.callback(
        [o, port_file, &c] { c.action = [o, port_file, &c] { return serve(c, *o, *port_file); }; });
}

void add_config(subcommand app, context& c) {
    const subcommand config =
        app.add_subcommand("config", "Check and show settings without starting");
    config.require_subcommand();
    config.footer(
        "Examples:\n"
        "  flexcore config check --config config/flexcore.toml\n"
        "  flexcore config show\n"
        "  flexcore config example > flexcore.toml");
    using runner = int (*)(const context&, const serve_options&, bool);
    const auto add = [&](const char* name, const char* about, runner run, const char* more) {
        const subcommand sub = config.add_subcommand(name, about);
        auto o = std::make_shared<serve_options>();
        auto json = std::make_shared<bool>(false);
        add_serve_options(sub, *o);
        sub.add_flag("--json", *json, "Print JSON for programs");
        sub.footer(
            fmt::format("{}{}{}Examples:\n  flexcore config {} --config config/flexcore.toml\n"
                        "  flexcore config {} --listen 127.0.0.1:9000 --json",
                        more, examples_of_flags, exit_codes_of_config, name, name));
        sub.callback(
            [o, json, run, &c] { c.action = [o, json, run, &c] { return run(c, *o, *json); }; });
    };
    add("check", "Validate the settings and list everything that is wrong", check, looks_at);
    add("show", "Print every setting with its value and where it comes from", show, "");
    const subcommand example = config.add_subcommand(
        "example", "Print a settings file with every setting's default, explained");
    example.footer("Examples:\n  flexcore config example > flexcore.toml");
    example.callback([&c] {
        c.action = [&c] {
            c.io.out << app::settings_example();
            return exit_done;
        };
    });
}

}  // namespace flexcore::cli
