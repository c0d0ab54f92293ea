// Private to src/cli: a bulk operation from options to exit code.
#pragma once

#include "cli/bulk.hpp"
#include "cli/subcommands_impl.hpp"

#include <string>

namespace flexcore::cli {

struct bulk_options {
    std::string file;
    std::size_t concurrency = 4;
    std::size_t batch = 50;
    double retry_for_s = 30;
    bool allow_refused = false;
    bool quiet = false;
};
/// Gives --file; the others need it.
option add_bulk_options(subcommand, bulk_options&);

/// Reads the file (or standard input), sends, prints the summary, gives the exit code: 1 when
/// something failed, was wrong as it stands, or was refused without --allow-refused; 130 after
/// SIGINT or SIGTERM, which stop it in order the first time and at once the second.
[[nodiscard]] int run_bulk(const context&, const client_options&, const bulk_options&,
                           std::string target, const std::string& noun, bulk_prepare);

}  // namespace flexcore::cli
