// The kinds of load that `flexcore bench` has not: endless NDJSON, and walking the whole log.
//
// Errors: std::runtime_error.
#pragma once

#include "cli/load_run.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace flexcore::bench {

struct options {
    cli::load_plan plan;
    std::size_t window = 32;
    std::vector<std::string> words;
};

struct tally {
    cli::load_tally sum;
    std::uint64_t items = 0;
};

/// Each runs for the warm-up and the measured time, and counts what was answered in the latter.
/// How: see load.cpp.
tally run_bulk(const options&);
tally run_pages(const options&);

}  // namespace flexcore::bench
