// Load on a running server: requests over many kept connections, or events on their way to
// subscribers. Measured here, from the client's side.
//
// Loads:   closed by default: each connection sends its next request when it has its answer. With a
//          rate, requests are due at it, and latencies count from when they were due.
// Counts:  what was answered in the measured time, after the warm-up. Errors count from the start.
// Broken:  a connection that breaks is counted and made again; one that cannot be made again is
//          given up, and the run ends when none is left.
// Threads: `run_load` starts its own and joins them; `answered` and `go_on` are used by all of
// them.
#pragma once

#include "base/result.hpp"
#include "cli/load_histogram.hpp"
#include "cli/url.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace flexcore::cli {

struct load_plan {
    url where;
    std::size_t connections = 64;
    std::size_t threads = 1;  ///< at most one per connection
    double seconds = 5, warmup_s = 1;
    double rate = 0;  ///< over all connections; 0: as fast as answers come
    std::string method = "GET";
    std::string target;  ///< with marks, see load_template.hpp
    std::string body;    ///< with marks; empty: none
    std::string content_type = "application/json";
    std::string headers;  ///< complete lines, with marks
};

struct load_tally {
    load_histogram latency;
    load_histogram refusals;  ///< of answers that are errors, from their sending
    std::uint64_t bytes = 0;  ///< of bodies
    std::map<std::string, std::uint64_t> errors;  ///< by reason, code or status
    double seconds = 0;                           ///< measured; less when it was ended early

    void add(const load_tally&);
    [[nodiscard]] std::uint64_t error_count() const;
};

struct load_watch {
    std::function<bool()> go_on;           ///< false ends the run
    std::atomic<std::uint64_t>* answered;  ///< counts all answers; may be null
};

/// Errors: base_errc::invalid_argument (marks), cli_errc::unreachable (not one connection).
[[nodiscard]] result<load_tally> run_load(const load_plan&, const load_watch&);

/// `plan` appends at its rate, over its connections; its body holds "t":$(t). `subscribers` follow
/// `stream_target` as Server-Sent Events. Latency: from the append's sending to the event's coming.
[[nodiscard]] result<load_tally> run_propagation(const load_plan& plan,
                                                 const std::string& stream_target,
                                                 std::size_t subscribers, const load_watch&);

}  // namespace flexcore::cli
