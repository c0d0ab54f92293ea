// The copy of a schema in PostgreSQL that `back_up` makes: one moment of it, looked at by `verify`
// and written by pg_dump from the same snapshot, then read back by pg_restore.
//
// Secrets: the password reaches the programs in their environment; no argument and no file has it.
// Stops:   `stop` is asked often; the program that runs is ended then.
// Errors:  as `back_up`; unavailable when pg_dump is not there, with the commands to use elsewhere.
// Threads: one.
#pragma once

#include "store/backup.hpp"
#include "store/open.hpp"

#include <filesystem>
#include <functional>

namespace flexcore::store::postgres {

/// Makes database.dump and restore.txt in `folder`; does not sync them.
[[nodiscard]] result<backup_report> dump_into(
    const std::filesystem::path& folder, const store_settings&,
    const std::function<void(const verify_progress&)>& progress, const std::function<bool()>& stop);

}  // namespace flexcore::store::postgres
