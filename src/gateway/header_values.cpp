#include "gateway/header_values.hpp"

#include <algorithm>

namespace flexcore::gateway {
namespace {

constexpr std::size_t tracestate_bytes_max = 512;
constexpr std::size_t tracestate_members_max = 32;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lowered(std::string_view text) {
    std::string out{text};
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

bool is_lower_hex(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool all_zero(std::string_view text) noexcept {
    return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim_space(std::string_view text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool list_has(std::string_view list, std::string_view element) noexcept {
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (same_ignoring_case(trim_space(list.substr(0, comma)), element)) return true;
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return false;
}

bool is_visible_ascii(std::string_view text, std::size_t bytes_max) noexcept {
    return !text.empty() && text.size() <= bytes_max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

media_type parse_media_type(std::string_view text) {
    media_type out;
    std::size_t semicolon = text.find(';');
    const std::string_view essence = trim_space(text.substr(0, semicolon));
    const std::size_t slash = essence.find('/');
    if (slash == 0 || slash == essence.npos || slash + 1 == essence.size()) return out;
    while (semicolon != text.npos) {
        text.remove_prefix(semicolon + 1);
        semicolon = text.find(';');
        const std::string_view parameter = trim_space(text.substr(0, semicolon));
        const std::size_t equals = parameter.find('=');
        if (equals == parameter.npos) continue;
        if (!same_ignoring_case(parameter.substr(0, equals), "charset")) continue;
        std::string_view value = parameter.substr(equals + 1);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        out.charset = lowered(value);
    }
    out.essence = lowered(essence);
    return out;
}

bool etag_matches(std::string_view field, std::string_view etag) noexcept {
    if (etag.starts_with("W/")) etag.remove_prefix(2);
    while (!field.empty()) {
        const std::size_t comma = field.find(',');
        std::string_view one = trim_space(field.substr(0, comma));
        if (one == "*") return true;
        if (one.starts_with("W/")) one.remove_prefix(2);
        if (one == etag) return true;
        if (comma == field.npos) break;
        field.remove_prefix(comma + 1);
    }
    return false;
}

bool is_traceparent(std::string_view text) noexcept {
    // version "-" trace-id "-" parent-id "-" flags; later versions may append more.
    if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
    const std::string_view version = text.substr(0, 2), trace = text.substr(3, 32),
                           parent = text.substr(36, 16), flags = text.substr(53, 2);
    if (!is_lower_hex(version) || !is_lower_hex(trace) || !is_lower_hex(parent) ||
        !is_lower_hex(flags))
        return false;
    if (version == "ff" || all_zero(trace) || all_zero(parent)) return false;
    if (version == "00") return text.size() == 55;
    return text.size() == 55 || text[55] == '-';
}

std::string continued_tracestate(std::string_view text) {
    std::string out;
    std::size_t members = 0;
    bool fits = true;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view one = trim_space(text.substr(0, comma));
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
        if (one.empty()) continue;  // allowed, and says nothing
        const std::size_t equals = one.find('=');
        if (equals == 0 || equals >= one.size() - 1 || ++members > tracestate_members_max)
            return {};
        if (!is_visible_ascii(one.substr(0, equals), one.size()) ||
            !std::all_of(one.begin(), one.end(), [](char c) { return c >= 0x20 && c < 0x7F; }))
            return {};
        fits = fits && out.size() + one.size() + 1 <= tracestate_bytes_max;
        if (!fits) continue;
        if (!out.empty()) out += ',';
        out += one;
    }
    return out;
}

std::string_view trace_id_of(std::string_view traceparent) noexcept {
    return traceparent.substr(3, 32);
}

}  // namespace flexcore::gateway
