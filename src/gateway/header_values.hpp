// Values of header fields, read and checked. Free functions without state, any thread.
#pragma once

#include <string>
#include <string_view>

namespace flexcore::gateway {

/// ASCII letters only, as header names and coding names compare.
[[nodiscard]] bool same_ignoring_case(std::string_view a, std::string_view b) noexcept;
/// Without spaces and tabs around it.
[[nodiscard]] std::string_view trim_space(std::string_view) noexcept;
/// Whether a comma-separated list has the element, in whatever case.
[[nodiscard]] bool list_has(std::string_view list, std::string_view element) noexcept;
/// 1 to `bytes_max` visible ASCII characters (0x21 to 0x7E).
[[nodiscard]] bool is_visible_ascii(std::string_view, std::size_t bytes_max) noexcept;

struct media_type {
    std::string essence;  ///< "application/json", lower case; empty when malformed
    std::string charset;  ///< lower case, empty when not given
};
[[nodiscard]] media_type parse_media_type(std::string_view);

/// Whether `etag` (with its quotes), weak or strong, is among those of an If-None-Match field.
[[nodiscard]] bool etag_matches(std::string_view if_none_match, std::string_view etag) noexcept;

/// A W3C traceparent that may be continued.
[[nodiscard]] bool is_traceparent(std::string_view) noexcept;
/// A W3C tracestate as it is passed on: as many whole members as 512 bytes hold, from the left;
/// empty when it is malformed.
[[nodiscard]] std::string continued_tracestate(std::string_view);
/// The 32 digits of its trace; requires is_traceparent.
[[nodiscard]] std::string_view trace_id_of(std::string_view traceparent) noexcept;

}  // namespace flexcore::gateway
