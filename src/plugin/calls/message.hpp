// message: what the host hands to a plugin, as fxc_message and fxc_call_info.
//
// Lifetime: `fill_…` copy every text into the call, because a plugin may look at them until it
//           completes, even when the caller has been answered and gone. `borrowed_events` copies
//           nothing: for plain functions, done when they return.
// Threads:  the call must be the caller's alone (not published yet).
#pragma once

#include "bus/caller.hpp"
#include "bus/command_bus.hpp"
#include "bus/query_bus.hpp"
#include "flexcore/plugin_abi.h"
#include "plugin/calls/call.hpp"
#include "store/event.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

[[nodiscard]] inline fxc_view view_of(std::string_view text) noexcept {
    return {text.data(), text.size()};
}
/// The text behind a view; nothing when it has a size but no data, or is larger than `bytes_max`.
[[nodiscard]] std::optional<std::string_view> text_of(fxc_view, std::size_t bytes_max) noexcept;

void fill_command(call&, const bus::accepted_command&);
void fill_query(call&, const bus::query&);
void fill_input(call&, const bus::caller&, std::string_view target, std::string_view content_type,
                std::string input);
void fill_events(call&, std::string_view tenant, std::string_view target,
                 std::span<const store::recorded_event>);
/// Tells nothing but the deadline.
void fill_nothing(call&);

class borrowed_events {
public:
    void assign(std::span<const store::recorded_event>);
    [[nodiscard]] const fxc_message* const* data() const noexcept { return pointers_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return pointers_.size(); }

private:
    std::vector<std::array<char, 36>> ids_;
    std::vector<fxc_view> tags_;
    std::vector<fxc_message> messages_;
    std::vector<const fxc_message*> pointers_;
};

}  // namespace flexcore::plugin
