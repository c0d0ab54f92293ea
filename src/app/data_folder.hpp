// `flexcore verify` below the command line: a data folder looked at from outside, whether a server
// has it or not.
#pragma once

#include "store/verify.hpp"

#include <filesystem>
#include <functional>

namespace flexcore::app {

/// See store/verify.hpp. Not in the process of a running server.
[[nodiscard]] result<store::verify_report> verify_data(
    const std::filesystem::path& data, const std::function<void(const store::verify_progress&)>&);

}  // namespace flexcore::app
