#include "base/names.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

namespace flexcore {
namespace {

constexpr bool is_alphanumeric(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// How many bytes at the front are ASCII, in whole words: most text is nothing else.
std::size_t ascii_words(std::string_view text) noexcept {
    constexpr std::uint64_t high_bits = 0x8080808080808080U;
    std::size_t at = 0;
    for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        if ((word & high_bits) != 0) break;
    }
    return at;
}

/// Length of the well-formed UTF-8 sequence at the front (Unicode table 3-7), 0 when there is none.
std::size_t sequence_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) -> std::uint8_t {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0;
    };
    const auto within = [&](std::size_t i, std::uint8_t low, std::uint8_t high) {
        return byte(i) >= low && byte(i) <= high;
    };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return within(1, 0x80, 0xBF) ? 2 : 0;
    if (lead < 0xF0) {
        const std::uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;
        const std::uint8_t high = lead == 0xED ? 0x9F : 0xBF;
        return within(1, low, high) && within(2, 0x80, 0xBF) ? 3 : 0;
    }
    if (lead > 0xF4) return 0;
    const std::uint8_t low = lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t high = lead == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
}

bool is_control(std::string_view sequence) noexcept {
    const auto lead = static_cast<std::uint8_t>(sequence[0]);
    if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
    return lead == 0xC2 && static_cast<std::uint8_t>(sequence[1]) <= 0x9F;
}

}  // namespace

bool is_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= name_bytes_max && is_alphanumeric(name.front()) &&
           std::ranges::all_of(name, [](char c) {
               return is_alphanumeric(c) || c == '_' || c == '.' || c == ':' || c == '/' ||
                      c == '-';
           });
}

bool is_utf8(std::string_view text) noexcept {
    for (;;) {
        text.remove_prefix(ascii_words(text));
        if (text.empty()) return true;
        const std::size_t length = sequence_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
}

std::string to_utf8(std::string_view text) {
    if (is_utf8(text)) return std::string{text};
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = sequence_length(text);
        if (length == 0) {
            out += "\xEF\xBF\xBD";  // U+FFFD
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

bool is_stream_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > stream_name_bytes_max) return false;
    while (!name.empty()) {
        const std::size_t length = sequence_length(name);
        if (length == 0 || is_control(name.substr(0, length))) return false;
        name.remove_prefix(length);
    }
    return true;
}

std::string_view category_of(std::string_view stream) noexcept {
    return stream.substr(0, stream.find('-'));
}

result<void> check_name(std::string_view what, std::string_view name) {
    if (is_name(name)) return {};
    return fail(base_errc::invalid_name,
                std::string{what} + " must match [A-Za-z0-9][A-Za-z0-9_.:/-]* and have 1 to " +
                    std::to_string(name_bytes_max) + " bytes");
}

result<void> check_stream_name(std::string_view name) {
    if (is_stream_name(name)) return {};
    return fail(base_errc::invalid_name, "a stream name is 1 to " +
                                             std::to_string(stream_name_bytes_max) +
                                             " bytes of UTF-8 without control characters");
}

}  // namespace flexcore
