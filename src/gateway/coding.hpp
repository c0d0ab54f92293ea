// Content codings of answers: which one a client takes, and the bytes in it.
//
// Threads: free functions; each thread keeps its own compressor.
#pragma once

#include "gateway/request.hpp"
#include "gateway/response.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::gateway {

enum class content_coding : std::uint8_t { identity, gzip, zstd };

/// The best one an Accept-Encoding field takes: the highest q, among equals zstd, then gzip.
[[nodiscard]] content_coding choose_coding(std::string_view accept_encoding) noexcept;

/// Whether an answer is of a kind that is sent coded: a text with `bytes_min` bytes or more (0:
/// none is), or a 304 that stands for one. Its readers then get Vary.
[[nodiscard]] bool may_be_coded(const response&, std::size_t bytes_min) noexcept;
/// Vary: Accept-Encoding, unless it is there.
void add_vary(response&);
/// Replaces the body by its coded form and says so, unless that would be longer.
void encode(response&, content_coding);

}  // namespace flexcore::gateway
