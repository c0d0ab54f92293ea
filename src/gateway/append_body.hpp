// Bodies of appends, read into append requests whose views point into the body itself.
//
// Lifetime: the append_request's `backing` owns the text and all else it points to.
// Errors:   base_errc::invalid_json, gateway_errc::validation_failed with pointers.
// Threads:  free functions, any thread.
#pragma once

#include "base/result.hpp"
#include "store/event_log.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

inline constexpr std::size_t events_per_append_max = 1000;

/// {"expected_version"?, "events":[…]} for one stream, whose name has been checked.
[[nodiscard]] result<store::append_request> read_stream_append(std::string body,
                                                               std::string_view stream,
                                                               std::size_t json_depth_max);
/// {"appends":[…], "condition"?}.
[[nodiscard]] result<store::append_request> read_append(std::string body,
                                                        std::size_t json_depth_max);
/// {"stream","expected_version"?,"events":[…]}: a line of a bulk append.
[[nodiscard]] result<store::append_request> read_append_line(std::string line,
                                                             std::size_t json_depth_max);

}  // namespace flexcore::gateway
