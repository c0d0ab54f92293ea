// The body of a command, read into what the command bus takes.
//
// Errors:  gateway_errc::validation_failed with pointers.
// Threads: a free function, any thread.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "bus/command_bus.hpp"

#include <string>

namespace flexcore::gateway {

/// {"type","id","data","metadata"?,"expected_version"?,"command_id"?}; `pointer` leads to it.
[[nodiscard]] result<bus::command> read_command(json::slice, std::string pointer);

}  // namespace flexcore::gateway
