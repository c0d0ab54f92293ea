// Bulk bodies, one JSON value per line: each line is worked on as it arrives, several at once; the
// answers are lines in the same order.
//
// Bounds:  lines at work and their bytes; a line's length; unsent answers. At a bound reading
// stops,
//          and with it, through TCP, the client.
// Errors:  a line that is too long or wrong is answered in its place and the rest goes on. A body
//          that breaks HTTP framing ends after the lines at work are answered, without the final
//          chunk, so that the client sees the answer is not whole.
#pragma once

#include "gateway/exchange.hpp"
#include "gateway/held_bytes.hpp"

#include <functional>
#include <memory>
#include <string>

namespace flexcore::gateway {

struct ndjson_limits {
    std::size_t line_bytes_max;
    std::size_t unsent_bytes_max;
    std::size_t lines_at_work_max = 128;
    std::size_t bytes_at_work_max = 16u << 20;
    std::shared_ptr<held_bytes> held = nullptr;  ///< counts lines at work whose client has gone
};

/// One line without its line break; runs once, on any thread.
using line_answer = std::move_only_function<void(std::string)>;
/// Runs on the io thread. `answer` runs once, now or later, on any thread.
using line_work = std::function<void(std::string line, line_answer answer)>;

/// Takes over the exchange. Inside the handler, before the body.
void serve_lines(responder, const ndjson_limits&, line_work);

}  // namespace flexcore::gateway
