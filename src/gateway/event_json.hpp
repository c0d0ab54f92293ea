// Events as JSON: the payload's own bytes between fields written here, nothing parsed.
#pragma once

#include "store/event_log.hpp"

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// The event object of the HTTP contract.
void append_event(std::string& out, const store::recorded_event&);
/// {"items":[…],"next":…}; `next` empty means null.
[[nodiscard]] std::string events_page(const store::event_batch&, std::string_view next);
/// `text` with its line breaks, which between JSON tokens are mere space, as spaces: one line.
void append_as_one_line(std::string& out, std::string_view text);

}  // namespace flexcore::gateway
