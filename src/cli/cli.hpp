// The sub-commands of the executable.
//
// Exit codes: 0 done; 1 refused, failed or not reachable; 2 wrong usage, naming what is wrong; 130
// a bulk
//             that was broken off by SIGINT or SIGTERM.
#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace flexcore::cli {

struct streams {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
};

/// `args` without the program's name.
[[nodiscard]] int run(std::span<const std::string> args, streams);

}  // namespace flexcore::cli
