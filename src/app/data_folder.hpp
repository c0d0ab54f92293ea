// `flexcore verify`, `flexcore backup` and a part of `flexcore doctor` below the command line: a
// store from outside, whether a server has it or not. Not in the process of a running server.
#pragma once

#include "store/backup.hpp"
#include "store/database_facts.hpp"
#include "store/verify.hpp"

#include <filesystem>
#include <functional>

namespace flexcore::app {

/// See store/verify.hpp.
[[nodiscard]] result<store::verify_report> verify_store(
    const store::store_settings&, const std::function<void(const store::verify_progress&)>&);

/// See store/backup.hpp.
[[nodiscard]] result<store::backup_report> back_up_store(
    const store::store_settings&, const std::filesystem::path& to,
    const std::function<void(const store::verify_progress&)>&, const std::function<bool()>& stop);

/// See store/database_facts.hpp.
[[nodiscard]] result<store::database_facts> look_at_database(const store::store_settings&);

}  // namespace flexcore::app
