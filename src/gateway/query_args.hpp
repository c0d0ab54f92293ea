// Typed access to a request's query arguments. Errors name the parameter and what it takes:
// gateway_errc::bad_request. Free functions, any thread.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "gateway/request.hpp"
#include "store/event_log.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

inline constexpr std::size_t list_limit_default = 100;
inline constexpr std::size_t list_limit_max = 1000;
inline constexpr monotonic::duration wait_default = std::chrono::milliseconds{1000};
inline constexpr std::uint64_t wait_ms_max = 30'000;
/// Positions and versions are stored as signed 64-bit integers.
inline constexpr std::uint64_t position_max = 9'223'372'036'854'775'807ULL;

/// A decimal number without sign, `least` to `most`; `fallback` when it is not there.
[[nodiscard]] result<std::uint64_t> number_arg(const resolved_target&, std::string_view name,
                                               std::uint64_t fallback, std::uint64_t least,
                                               std::uint64_t most);
[[nodiscard]] result<std::uint64_t> parse_position(std::string_view text, std::string_view name);
[[nodiscard]] result<std::size_t> limit_arg(const resolved_target&);
/// A position, absent when there is none.
[[nodiscard]] result<std::optional<store::position>> position_arg(const resolved_target&,
                                                                  std::string_view name);
[[nodiscard]] result<store::direction> direction_arg(const resolved_target&);
/// "a,b" → {"a","b"}; each must be a name.
[[nodiscard]] result<std::vector<std::string>> names_arg(const resolved_target&,
                                                         std::string_view name);
[[nodiscard]] result<std::optional<unix_us>> time_arg(const resolved_target&,
                                                      std::string_view name);

/// `Unknown query parameter "limt"; did you mean "limit"?`
[[nodiscard]] std::string unknown_arg(std::string_view wrong,
                                      std::span<const std::string_view> right);

/// types, categories, tags, stream_prefix, since.
[[nodiscard]] result<store::log_filter> log_filter_args(const resolved_target&,
                                                        std::string_view tenant);

/// min_position and wait_ms.
struct freshness {
    store::position min_position = 0;
    monotonic::duration wait = wait_default;
};
[[nodiscard]] result<freshness> freshness_args(const resolved_target&);

}  // namespace flexcore::gateway
