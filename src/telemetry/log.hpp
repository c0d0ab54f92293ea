// Log: one line per happening, JSON or coloured text, written by a thread of its own.
//
// Threads:  any. A full queue drops the oldest lines and counts them (a slow disk or terminal
//           never slows a request).
// Shape:    JSON lines {"ts","level","logger","msg", fields…}; fields are key and plain value.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace flexcore::telemetry {

enum class level : std::uint8_t { trace, debug, info, warn, error, off };
enum class log_format : std::uint8_t { json, text };

struct log_settings {
    level level_min = level::info;
    log_format format = log_format::text;
    bool colour = false;  ///< only for text
    std::string file;     ///< empty: standard error
};

/// Call once before threads start; replaces an earlier set-up (tests). Until then nothing is
/// logged. base_errc::io: the file cannot be opened, and nothing is logged.
result<void> log_start(const log_settings&);
/// Writes out what waits. Nothing is logged afterwards.
void log_stop();
void log_set_level(level);
[[nodiscard]] bool log_enabled(level) noexcept;
/// Lines dropped since `log_start`.
[[nodiscard]] std::uint64_t log_dropped() noexcept;

struct field {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;
};

/// `logger` is the module ("store", "gateway", "plugin.orders"); `message` is a constant text,
/// what varies goes into fields.
void log(level, std::string_view logger, std::string_view message,
         std::initializer_list<field> fields = {});

}  // namespace flexcore::telemetry
