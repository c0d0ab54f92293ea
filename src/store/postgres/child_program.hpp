// A program that is run to its end: pg_dump, pg_restore.
//
// Threads: one.
#pragma once

#include "base/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace flexcore::store::postgres {

/// Its path, sought in PATH; empty: not there.
[[nodiscard]] std::string find_program(const std::string& name);

struct child_end {
    bool succeeded = false;
    std::string said;  ///< the end of what it wrote, at most 4 KiB, in one line
};

/// `password` becomes its PGPASSWORD, unless it is empty. `watch` is called some times a second;
/// when it answers true the program is ended. base_errc::io when it cannot be started.
[[nodiscard]] result<child_end> run_program(const std::vector<std::string>& command,
                                            const std::string& password,
                                            const std::function<bool()>& watch);

}  // namespace flexcore::store::postgres
