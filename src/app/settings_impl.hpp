// Private to src/app: the settings file read into values, errors collected.
#pragma once

#include "app/setting_table.hpp"

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace flexcore::app {

struct file_value {
    const setting* what = nullptr;
    setting_value value;
    std::string where;  ///< "flexcore.toml:12:3"
};

struct file_values {
    std::vector<file_value> values;
    std::set<std::string> unclear;  ///< keys whose values are wrong, or whose names are mistyped
    bool read = true;               ///< false: nothing of the file is known
};
/// Appends to `problems`; gives what could be read.
[[nodiscard]] file_values read_settings_file(const std::filesystem::path&,
                                             std::vector<settings_problem>& problems);

/// The setting that was meant by a name nobody knows; empty when none is near. May be a section.
[[nodiscard]] std::string meant_setting(const std::string& key);
/// "unknown setting http.prot; did you mean http.port?"
[[nodiscard]] std::string unknown_setting(const std::string& key);

/// Whether the value of a key is what was meant: what follows from another one would only confuse.
using is_clear = std::function<bool(const std::string& key)>;

/// Checks between settings: what no single row can say.
void check_together(const loaded_settings&, const is_clear&,
                    std::vector<settings_problem>& problems);
/// As `check_named_files`, for what is clear.
void check_named(const loaded_settings&, const is_clear&, std::vector<settings_problem>& problems);

}  // namespace flexcore::app
