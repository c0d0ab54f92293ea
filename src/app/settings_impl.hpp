// Private to src/app: the settings file read into values, errors collected.
#pragma once

#include "app/setting_table.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace flexcore::app {

struct file_value {
    const setting* what = nullptr;
    setting_value value;
    std::string where;  ///< "flexcore.toml:12:3"
};

/// Appends to `problems`; gives what could be read.
[[nodiscard]] std::vector<file_value> read_settings_file(const std::filesystem::path&,
                                                         std::vector<settings_problem>& problems);

/// "unknown setting http.prot; did you mean http.port?"
[[nodiscard]] std::string unknown_setting(const std::string& key);

/// Checks between settings: what no single row can say.
void check_together(const loaded_settings&, std::vector<settings_problem>& problems);

}  // namespace flexcore::app
