// The nearest right name for one that is unknown: for settings, sub-commands and options.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flexcore::app {

/// Steps (insert, drop, replace, swap neighbours) that turn one text into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the least distance, when it is near enough to be what was meant (a third of
/// the name's length, at least one step).
[[nodiscard]] std::optional<std::string> nearest(std::string_view name,
                                                 std::span<const std::string> candidates);

}  // namespace flexcore::app
