// The opening handshake of a WebSocket (RFC 6455, 4.2).
//
// Threads: free functions without state.
#pragma once

#include "base/result.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// The 101 that opens the socket.
/// Errors: upgrade_required (no upgrade to WebSocket 13 was asked for), bad_request (a key that is
/// none). Extensions and subprotocols are not taken.
[[nodiscard]] result<response> open_socket(const request&);
/// The answer to an error of open_socket: 426 names what is wanted.
[[nodiscard]] response refused_socket(const error&, const request&);

/// Sec-WebSocket-Accept for a key.
[[nodiscard]] std::string socket_accept(std::string_view key);

}  // namespace flexcore::gateway
