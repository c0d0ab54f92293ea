// The nearest right name to a misspelt one, for error messages.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace flexcore::gateway {

/// Empty when none is close (more than a third of its letters differ).
[[nodiscard]] std::string_view nearest_name(std::string_view wrong,
                                            std::span<const std::string_view> right);
/// `Unknown member "evnts"; did you mean "events"?`: `what` is "member" or "query parameter".
[[nodiscard]] std::string unknown_name(std::string_view what, std::string_view wrong,
                                       std::span<const std::string_view> right);

}  // namespace flexcore::gateway
