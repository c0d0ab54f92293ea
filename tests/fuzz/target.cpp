#include "fuzz/target.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace flexcore::fuzz {

void require(bool holds, std::string_view promise) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(promise.size()), promise.data());
    std::abort();
}

std::vector<std::string_view> pieces_of(std::string_view text, std::size_t piece_max) {
    std::uint64_t dice = 0xcbf29ce484222325ULL + piece_max;
    for (const char c : text) dice = (dice ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    std::vector<std::string_view> pieces;
    while (!text.empty()) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        const std::size_t size = std::min<std::size_t>(1 + dice % piece_max, text.size());
        pieces.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return pieces;
}

}  // namespace flexcore::fuzz
