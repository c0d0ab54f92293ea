// The naming rules of the HTTP contract, in one place.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace flexcore {

inline constexpr std::size_t name_bytes_max = 255;
inline constexpr std::size_t stream_name_bytes_max = 1024;
inline constexpr std::size_t aggregate_id_bytes_max = 255;

/// [A-Za-z0-9][A-Za-z0-9_.:/-]*, 1 to 255 bytes: event and command types, categories, tags,
/// tenants.
[[nodiscard]] bool is_name(std::string_view) noexcept;
/// The same for people.
inline constexpr const char* name_rule =
    "must be a name: 1 to 255 letters, digits and _ . : / -, the first a letter or digit";
/// 1 to 1024 bytes of UTF-8 without control characters (U+0000–U+001F, U+007F–U+009F).
[[nodiscard]] bool is_stream_name(std::string_view) noexcept;
/// Well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view) noexcept;
/// The text with each byte that is not part of well-formed UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view);
/// What stands before the first '-'; the whole name when there is none.
[[nodiscard]] std::string_view category_of(std::string_view stream) noexcept;

/// `what` names the value in the message: "event type", "tag", …
[[nodiscard]] result<void> check_name(std::string_view what, std::string_view name);
[[nodiscard]] result<void> check_stream_name(std::string_view name);

}  // namespace flexcore
