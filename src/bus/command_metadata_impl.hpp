// The metadata that a command's events get: the client's members and the server's own.
#pragma once

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "bus/caller.hpp"

#include <string>
#include <string_view>

namespace flexcore::bus {

/// `client` is a validated JSON object or empty. Its members stay as they were written, except that
/// causation_id (always the command's id) and traceparent with tracestate (the request's, when
/// there is one) are the server's; correlation_id is the command's id when the client gave none.
/// validation_failed when the client names `principal` or `tenant`.
[[nodiscard]] result<std::string> event_metadata(std::string_view client, const uuid& command_id,
                                                 const caller&);

/// validation_failed with one entry of `errors`.
[[nodiscard]] error invalid(std::string_view pointer, std::string_view detail);

}  // namespace flexcore::bus
