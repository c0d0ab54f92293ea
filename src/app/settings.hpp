// Settings of the server: one plain struct, loaded whole and validated whole.
//
// Order:   defaults, settings file, FLEXCORE_… variables (DATABASE_URL for the store), flags; what
//          comes later wins. `plugins.load` grows with each --plugin instead.
// Errors:  all of them at once, each with its place ("flexcore.toml:12:3", "FLEXCORE_HTTP_PORT",
//          "--listen") and, for a name nobody knows, the nearest right one.
// Units:   names carry the unit (`_ms`, `_bytes`); a value is an integer in that unit or a text
//          with its own ("30s", "4MiB").
// Paths:   relative ones start at the working directory, wherever they were written.
#pragma once

#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "bus/query_bus.hpp"
#include "domain/aggregate_runtime.hpp"
#include "domain/projection_runner.hpp"
#include "gateway/server.hpp"
#include "plugin/plugin_host.hpp"
#include "store/open.hpp"
#include "telemetry/log.hpp"

#include <cstddef>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::app {

struct plugin_entry {
    std::filesystem::path file;
    std::string config_json;  ///< a JSON object; empty means {}
    std::string where = {};   ///< it was named: "flexcore.toml:12:1", "--plugin"; not part of it
    friend bool operator==(const plugin_entry& a, const plugin_entry& b) {
        return a.file == b.file && a.config_json == b.config_json;
    }
};

enum class colour_choice : std::uint8_t { automatic, always, never };

struct runtime_settings {
    std::size_t io_threads = 0;  ///< 0: one per core
    std::size_t workers = 0;     ///< 0: two per core, at least four
    monotonic::duration stop_max = std::chrono::seconds{30};
};

struct security_settings {
    bool allow_anonymous_non_loopback = false;
};

struct settings {
    settings();

    gateway::http_settings http;
    store::store_settings store;
    telemetry::log_settings log;
    colour_choice colour = colour_choice::automatic;
    bus::command_settings commands;
    domain::aggregate_settings aggregates;
    bus::query_settings queries;
    bus::event_bus_settings events;
    domain::projection_settings projections;
    plugin::plugin_settings plugins;
    std::vector<plugin_entry> plugin_load;
    runtime_settings runtime;
    security_settings security;
};

/// One value from a flag: `key` as in the table, `flag` without the value, which may be a secret.
struct flag_value {
    std::string key;
    std::string text;
    std::string flag;
    bool adds = false;  ///< one more entry of plugins.load instead of a new list
};

struct setting_inputs {
    std::optional<std::filesystem::path> file;
    std::map<std::string, std::string> environment;  ///< the whole one; others are skipped
    std::vector<flag_value> flags;
};

struct settings_problem {
    std::string where;
    std::string text;
};

struct loaded_settings {
    settings values;
    /// Where each value comes from, by key: "default", "flexcore.toml:12:3", a variable, a flag.
    std::map<std::string, std::string> sources;
    /// Valid, and perhaps not meant so.
    std::vector<settings_problem> doubts = {};

    /// How a message about a value begins: its source, or "http.port (default)".
    [[nodiscard]] std::string place_of(const std::string& key) const;
};

/// The files and folders that settings name, beside the settings file itself.
enum class named_files : std::uint8_t { unseen, looked_at };
/// With `looked_at` what `check_named_files` finds is among the errors. A wrong value keeps only
/// those checks back that would look at it.
[[nodiscard]] std::expected<loaded_settings, std::vector<settings_problem>> load_settings(
    const setting_inputs&, named_files = named_files::unseen);

/// What the settings name and this machine lacks: files of plugins, folders for them; a data folder
/// that is a file. Looks only; what it finds is as wrong as a wrong value.
[[nodiscard]] std::vector<settings_problem> check_named_files(const loaded_settings&);
/// plugins.dirs, or `plugins` beside the executable.
[[nodiscard]] std::vector<std::filesystem::path> plugin_folders(const settings&);

/// This process's environment.
[[nodiscard]] std::map<std::string, std::string> environment();

/// One line per problem, "where: text".
[[nodiscard]] std::string to_text(const std::vector<settings_problem>&);
/// "http.port = 8080   # default" per line, secrets masked; readable as a settings file, but for
/// the plugins' configurations, which may hold secrets and are left out.
[[nodiscard]] std::string settings_as_toml(const loaded_settings&);
/// {"http.port":{"value":8080,"source":"default"},…}, secrets masked.
[[nodiscard]] std::string settings_as_json(const loaded_settings&);
/// The text of config/flexcore.toml: every setting explained, with its default.
[[nodiscard]] std::string settings_example();

/// "localhost", 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_loopback(const std::string& host);

}  // namespace flexcore::app
