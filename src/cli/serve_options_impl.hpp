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
/// Each flag that is given becomes a value, an empty one too: "" is not "not said".
void add_serve_options(subcommand, serve_options&);

/// The settings that these flags, the environment and the file give together.
[[nodiscard]] std::expected<app::loaded_settings, std::vector<app::settings_problem>>
load_settings_of(const context&, const serve_options&, app::named_files);

}  // namespace flexcore::cli
