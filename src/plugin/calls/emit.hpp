// emit: checks what a plugin emits while deciding and keeps it as new events of the decision.
//
// Checked:  names of type and tags, no tag twice, JSON of payload and metadata, the stream (empty
//           or the aggregate's), the type and schema version against the catalogue, the bounds.
// Effect:   what breaks a rule dooms the call: it fails however the plugin completes it.
// Threads:  under the call's guard.
#pragma once

#include "flexcore/plugin_abi.h"
#include "plugin/calls/call.hpp"

#include <cstddef>

namespace flexcore::plugin {

inline constexpr std::size_t emitted_events_max = 1'000;  ///< per call
inline constexpr std::size_t emitted_bytes_max = std::size_t{4} << 20;
inline constexpr std::size_t event_tags_max = 64;

/// FXC_OK; FXC_UNSUPPORTED: this call emits nothing; FXC_BUSY: beyond the bounds; FXC_INVALID.
[[nodiscard]] fxc_status emit_event(call&, const fxc_message*);

}  // namespace flexcore::plugin
