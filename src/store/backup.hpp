// backup: a consistent copy of a store, also beside a running server: of a data folder (SQLite), or
// of a schema in PostgreSQL (see postgres/dump.hpp).
//
// Copies:   SQLite: read models and snapshots first, the log last, each in one read transaction: so
// the log
//           holds whatever the others were made of, and what they lack a server makes up for when
//           it starts. The files are written anew (VACUUM INTO): without free pages, with seals.
//           Read models or snapshots that are damaged are left out: they are made again.
// Whole:    the copy is made beside its place in a folder of its own (TO.partial-XXXXXX), looked at
//           by `verify`, synced and then renamed. So a folder under its own name is a sound backup,
//           whenever the power went. A backup that fails or is stopped takes that folder away; one
//           whose process is ended leaves it behind.
// Costs:    writes are not held up. The server's WAL is not cut short meanwhile and grows;
//           PostgreSQL: what is removed meanwhile keeps its space until the copy is made.
// Errors:   base_errc::invalid_argument (no data folder; TO is no name, or there already),
//           store_errc::stopped, full, corrupt (`verify` names what), unavailable.
// Threads:  one; `progress` runs on it, `stop` is asked on it. Not in the server's own process, as
//           `verify`.
#pragma once

#include "store/verify.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace flexcore::store {

struct backup_report {
    std::uint64_t bytes = 0;
    verify_report copy;                 ///< sound
    std::vector<std::string> left_out;  ///< files that are damaged and will be made again
};

[[nodiscard]] result<backup_report> back_up(const std::filesystem::path& data,
                                            const std::filesystem::path& to,
                                            const std::function<void(const verify_progress&)>&,
                                            const std::function<bool()>& stop = {});
/// Of the store that these settings name.
[[nodiscard]] result<backup_report> back_up(const store_settings&, const std::filesystem::path& to,
                                            const std::function<void(const verify_progress&)>&,
                                            const std::function<bool()>& stop = {});

}  // namespace flexcore::store
