// The nearest right name to a misspelt one, for error messages.
//
// Threads: free functions without state.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore {

/// Names longer than this are not worth a guess, and the work grows with the square.
inline constexpr std::size_t name_bytes_compared_max = 64;

/// Steps (insert, drop, replace, swap neighbours) that turn one text into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The first with the least distance among `right`, when it is near enough to be what was meant (a
/// third of the name's length, at least one step).
template <class Names>
[[nodiscard]] std::optional<std::string_view> nearest_name(std::string_view wrong,
                                                           const Names& right) {
    std::optional<std::string_view> best;
    if (wrong.size() > name_bytes_compared_max) return best;
    std::size_t bound = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (const std::string_view name : right) {
        // So many letters more or less are at least as many steps.
        if (std::max(wrong.size(), name.size()) - std::min(wrong.size(), name.size()) >= bound)
            continue;
        const std::size_t distance = edit_distance(wrong, name);
        if (distance >= bound) continue;
        best = name;
        bound = distance;
    }
    return best;
}

/// `; did you mean "events"?`, or nothing when none is near.
template <class Names>
[[nodiscard]] std::string did_you_mean(std::string_view wrong, const Names& right) {
    const auto near = nearest_name(wrong, right);
    return near ? "; did you mean \"" + std::string{*near} + "\"?" : std::string{};
}

}  // namespace flexcore
