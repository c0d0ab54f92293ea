// Requests of web pages: which may be answered, and what the browser has to be told (Fetch, CORS).
//
// Why:     a browser sends simple requests of any page to any address, a loopback one included, and
//          only keeps the answer from the page. So requests that change something are refused when
//          the page they come from is neither the server's own nor allowed.
// Threads: free functions without state.
#pragma once

#include "base/origins.hpp"
#include "base/result.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <string_view>

namespace flexcore::gateway {

/// Errors: forbidden, for a request that is not safe and comes from a page of another origin that
/// `allowed` does not name. Call it when there is an Origin field.
[[nodiscard]] result<void> check_origin(const request&, const origin_list& allowed);
/// Adds what lets a page of an allowed origin read the answer. Vary is there for all, once there
/// are allowed origins, since caches must keep answers with and without it apart.
void add_cors(response&, const request&, const origin_list& allowed);
/// The same for the answer to a preflight; `methods` is its Allow field.
void add_preflight(response&, const request&, const origin_list& allowed, std::string_view methods);

}  // namespace flexcore::gateway
