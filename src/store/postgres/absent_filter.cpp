#include "store/postgres/absent_filter.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace flexcore::store::postgres {
namespace {

constexpr std::size_t first_words = 4'096;
constexpr std::size_t layers_max = 5;
constexpr std::size_t bits_per_row = 10;
constexpr int probes = 7;

template <class Visit>
bool every_bit(std::size_t words, const XXH128_hash_t& hash, Visit visit) {
    std::uint64_t at = hash.low64;
    const std::uint64_t step = hash.high64 | 1;
    for (int i = 0; i < probes; ++i, at += step) {
        const std::uint64_t bit = at % (words * 64);
        if (!visit(bit / 64, std::uint64_t{1} << (bit % 64))) return false;
    }
    return true;
}

}  // namespace

void absent_filter::add(std::string_view id) {
    if (!is_absent(id)) return;
    const bool full =
        layers_.empty() || layers_.back().count >= layers_.back().words.size() * 64 / bits_per_row;
    if (full && layers_.size() < layers_max) {
        const std::size_t words = first_words << 2 * layers_.size();
        layers_.push_back({.words = std::vector<std::uint64_t>(words), .count = 0});
    }
    auto& last = layers_.back();
    ++last.count;
    every_bit(last.words.size(), XXH3_128bits(id.data(), id.size()),
              [&](std::uint64_t word, std::uint64_t bit) {
                  last.words[word] |= bit;
                  return true;
              });
}

bool absent_filter::is_absent(std::string_view id) const {
    const auto hash = XXH3_128bits(id.data(), id.size());
    for (const auto& one : layers_) {
        const bool there = every_bit(
            one.words.size(), hash,
            [&](std::uint64_t word, std::uint64_t bit) { return (one.words[word] & bit) != 0; });
        if (there) return false;
    }
    return true;
}

}  // namespace flexcore::store::postgres
