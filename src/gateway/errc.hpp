// What the gateway itself can answer other than success.
#pragma once

#include "base/result.hpp"

namespace flexcore::gateway {

enum class gateway_errc {
    bad_request = 1,     ///< not HTTP, or a parameter or header that cannot be right
    validation_failed,   ///< the body breaks its shape; members: "errors":[{"pointer","detail"}]
    forbidden,           ///< not allowed on this server or over this address
    not_found,           ///< no such path, or no such thing
    method_not_allowed,  ///< the answer carries Allow
    append_conflict,     ///< members: "failures"
    payload_too_large,   ///< the body, or one line of a bulk body
    unsupported_media_type,  ///< content type, charset or content coding
    uri_too_long,
    header_too_large,
    request_timeout,     ///< the client was too slow
    expectation_failed,  ///< Expect names something other than 100-continue
    busy,                ///< a limit of the gateway is reached; try again
    not_ready,           ///< this node should get no traffic now
    upgrade_required,    ///< the call is a WebSocket; the answer says which
};
std::error_code make_error_code(gateway_errc) noexcept;

}  // namespace flexcore::gateway

template <>
struct std::is_error_code_enum<flexcore::gateway::gateway_errc> : std::true_type {};
