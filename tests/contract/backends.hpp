// The backends under contract: a new one is one line in backends.cpp.
#pragma once

#include <string>
#include <vector>

namespace contract {

struct backend {
    std::string url;      ///< "postgresql:" stands for a schema of its own in the run's server
    bool keeps;           ///< what is written is there after reopening
    bool remote = false;  ///< each call is a round trip: fewer repetitions do
};

[[nodiscard]] const std::vector<backend>& backends();

/// The test case runs once for each.
[[nodiscard]] backend each_backend();
[[nodiscard]] backend each_keeping_backend();

}  // namespace contract
