#include "gateway/nearest.hpp"

#include "base/names.hpp"

#include <algorithm>
#include <vector>

namespace flexcore::gateway {
namespace {

/// Names longer than this are not worth a guess, and the work grows with the square.
constexpr std::size_t name_bytes_compared_max = 64;

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest_name(std::string_view wrong, std::span<const std::string_view> right) {
    if (wrong.size() > name_bytes_compared_max) return {};
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, wrong.size() / 3) + 1;
    for (const std::string_view name : right) {
        const std::size_t distance = edit_distance(wrong, name);
        if (distance >= best_distance) continue;
        best = name;
        best_distance = distance;
    }
    return best;
}

std::string unknown_name(std::string_view what, std::string_view wrong,
                         std::span<const std::string_view> right) {
    std::string out = "Unknown ";
    out += what;
    out += " \"";
    out += to_utf8(wrong.substr(0, 255));
    out += '"';
    if (const std::string_view name = nearest_name(wrong, right); !name.empty()) {
        out += "; did you mean \"";
        out += name;
        out += "\"?";
    } else {
        out += '.';
    }
    return out;
}

}  // namespace flexcore::gateway
