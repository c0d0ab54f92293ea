// Private to src/cli: the flags that are settings, of `serve` and `config`.
#pragma once

#include "app/settings.hpp"
#include "cli/subcommands_impl.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::cli {

struct serve_options {
    std::optional<std::string> config;
    std::vector<app::flag_value> flags;
};
/// A flag that is the setting `key`.
void add_setting(subcommand, serve_options&, const char* name, const char* key, const char* type,
                 const char* about);
/// --config, --data, --store, --set: those that say which store it is.
void add_config_option(subcommand, serve_options&);
void add_data_option(subcommand, serve_options&);
void add_store_option(subcommand, serve_options&);
void add_set_option(subcommand, serve_options&);
/// Each flag that is given becomes a value, an empty one too: "" is not "not said".
void add_serve_options(subcommand, serve_options&);

/// The settings that these flags, the environment and the file give together.
[[nodiscard]] std::expected<app::loaded_settings, std::vector<app::settings_problem>>
load_settings_of(const context&, const serve_options&, app::named_files);

}  // namespace flexcore::cli
