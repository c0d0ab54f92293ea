// failure: how a failed call looks to those who called: the one place that turns fxc_status into
// errors of bus, domain and plugin host.
//
// Texts: what a plugin says in a rejection or about wrong input goes to the client; every other
//        text of a plugin goes to the log only (execute excepted: its caller is its user).
// Threads: functions without state.
#pragma once

#include "base/result.hpp"
#include "plugin/calls/call.hpp"

#include <string_view>

namespace flexcore::plugin {

[[nodiscard]] error command_error(const call_failure&, std::string_view plugin);
[[nodiscard]] error query_error(const call_failure&, std::string_view plugin);
[[nodiscard]] error projection_error(const call_failure&, std::string_view plugin);
[[nodiscard]] error execute_error(const call_failure&, std::string_view plugin);
/// What `instance::open` refuses, in the words of the bus: busy, unavailable.
[[nodiscard]] error open_error(error);
/// Of start, drain, health: a text for the operator.
[[nodiscard]] std::string failure_text(const call_failure&);

}  // namespace flexcore::plugin
