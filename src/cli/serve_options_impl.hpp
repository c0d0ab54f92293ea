// Private to src/cli: the flags that are settings, of `serve` and `config`.
#pragma once

#include "app/settings.hpp"
#include "cli/subcommands_impl.hpp"

#include <string>
#include <vector>

namespace flexcore::cli {

struct serve_options {
    std::string config, data, listen, store, log_level, log_format;
    std::vector<std::string> plugins, plugin_dirs, set;
};
void add_serve_options(CLI::App&, serve_options&);

/// Everything load_settings needs. Errors: base_errc::invalid_argument (a malformed flag).
[[nodiscard]] result<app::setting_inputs> setting_inputs_of(const context&, const serve_options&);

}  // namespace flexcore::cli
