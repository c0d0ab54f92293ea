// The request target, taken apart: path segments and query arguments, percent-decoded.
//
// Order:   split first, decode then, so that an encoded '/' stays inside its segment.
// Refused: bad escapes, control characters in the path, NUL anywhere, what is not UTF-8, fragments.
// Errors:  gateway_errc::bad_request. Threads: free functions without state.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

struct query_arg {
    std::string name, value;
};

struct target_parts {
    std::string_view path;   ///< raw, begins with '/'; "*" for the asterisk form
    std::string_view query;  ///< raw, without '?'
};

/// Takes origin form, absolute form (its path counts) and "*". The parts are views into `target`,
/// or literals.
[[nodiscard]] result<target_parts> split_target(std::string_view target);
/// "/a/b%2Fc" → {"a", "b/c"}; an empty segment stays one.
[[nodiscard]] result<std::vector<std::string>> decode_path(std::string_view path);
/// "a=1&b" → {{"a","1"},{"b",""}}; '+' is a space.
[[nodiscard]] result<std::vector<query_arg>> decode_query(std::string_view query);
/// Percent-encodes what may not stand in one path segment.
[[nodiscard]] std::string encode_segment(std::string_view);

}  // namespace flexcore::gateway
