// The files of the page /docs, part of the program.
//
// Threads: constant.
#pragma once

#include <string_view>
#include <vector>

namespace flexcore::gateway {

struct embedded_file {
    std::string_view name;  ///< "docs.css"
    std::string_view text;
};

/// Embedded by CMake from src/gateway/docs.
[[nodiscard]] const std::vector<embedded_file>& docs_files();

}  // namespace flexcore::gateway
