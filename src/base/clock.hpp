// Time: wall clock in microseconds for what is recorded, monotonic clock for deadlines.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore {

/// Microseconds since 1970-01-01T00:00:00Z.
using unix_us = std::int64_t;
/// Deadlines are points of the monotonic clock: a stepped wall clock never moves them.
using monotonic = std::chrono::steady_clock;
using deadline = monotonic::time_point;
inline constexpr deadline no_deadline = deadline::max();

[[nodiscard]] unix_us now_unix_us() noexcept;

/// RFC 3339 UTC with microseconds: "2026-11-22T10:00:00.123456Z", 27 characters.
[[nodiscard]] std::string format_time(unix_us);
void write_time(unix_us, char* out27) noexcept;
/// RFC 3339 with any offset and 0 to 9 digits of a second (beyond microseconds is cut).
[[nodiscard]] std::optional<unix_us> parse_time(std::string_view) noexcept;

}  // namespace flexcore
