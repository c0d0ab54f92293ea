// What the buses can answer other than success.
#pragma once

#include "base/result.hpp"

namespace flexcore::bus {

enum class bus_errc {
    unknown_command = 1,
    unknown_query,
    validation_failed,  ///< members: "errors":[{"pointer","detail"}]
    unauthorized,
    forbidden,
    command_rejected,      ///< the domain refuses; members: "reason" and the domain's own
    idempotency_conflict,  ///< the key is known with another request
    request_in_progress,   ///< the first request with this key still runs
    read_model_behind,     ///< min_position not reached in time; members: "position"
    not_found,             ///< the query asks for one thing and there is none
    busy,                  ///< a queue is full; try again
    deadline_exceeded,  ///< for a command: it may have taken effect, ask again with its command_id
    handler_failed,     ///< the plugin failed or broke its contract; the text is for the log
    unavailable,        ///< the plugin is draining or gone
    duplicate_name,     ///< a command, query, projection or read model of this name exists
};
std::error_code make_error_code(bus_errc) noexcept;

}  // namespace flexcore::bus

template <>
struct std::is_error_code_enum<flexcore::bus::bus_errc> : std::true_type {};
