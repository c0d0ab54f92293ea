// What every fuzz target shares. A target is one file with one LLVMFuzzerTestOneInput: libFuzzer
// calls it with inputs of its own (preset `fuzz`), the replay with those of the committed corpus.
//
// Errors:  a property that does not hold ends the process, which is what a fuzzer looks for.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace flexcore::fuzz {

/// Ends the process with `promise` when it does not hold.
void require(bool holds, std::string_view promise);

[[nodiscard]] inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

/// The text in pieces of 1 to `piece_max` bytes; the same text and maximum, the same pieces.
[[nodiscard]] std::vector<std::string_view> pieces_of(std::string_view text, std::size_t piece_max);

}  // namespace flexcore::fuzz
