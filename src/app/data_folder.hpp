// `flexcore verify` and `flexcore backup` below the command line: a data folder from outside,
// whether a server has it or not. Not in the process of a running server.
#pragma once

#include "store/backup.hpp"
#include "store/verify.hpp"

#include <filesystem>
#include <functional>

namespace flexcore::app {

/// See store/verify.hpp.
[[nodiscard]] result<store::verify_report> verify_data(
    const std::filesystem::path& data, const std::function<void(const store::verify_progress&)>&);

/// See store/backup.hpp.
[[nodiscard]] result<store::backup_report> back_up_data(
    const std::filesystem::path& data, const std::filesystem::path& to,
    const std::function<void(const store::verify_progress&)>&, const std::function<bool()>& stop);

}  // namespace flexcore::app
