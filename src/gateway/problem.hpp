// problem: the one place where error codes become HTTP statuses and RFC 9457 documents.
//
// Texts:   only error::client reaches the client. error::log is written to the log when the status
//          is 500 or above.
// Threads: free functions, any thread.
#pragma once

#include "base/result.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

struct problem_kind {
    int status;
    std::string_view code;  ///< "version_conflict"; the type is "/problems/<code>"
    std::string_view title;
};
/// A code of no known category is `internal`.
[[nodiscard]] const problem_kind& problem_of(const std::error_code&) noexcept;

/// The whole document.
[[nodiscard]] std::string problem_json(const error&, std::string_view instance,
                                       std::string_view request_id);
/// With Allow, Retry-After and Idempotent-Replay where they belong.
[[nodiscard]] response problem_response(const error&, const request&);
/// {"status","code","detail", members…}: an error as one item of a batch or a bulk answer.
void append_problem_item(std::string& out, const error&);

}  // namespace flexcore::gateway
