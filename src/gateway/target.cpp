#include "gateway/target.hpp"

#include "base/names.hpp"
#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"

#include <algorithm>
#include <optional>

namespace flexcore::gateway {
namespace {

[[nodiscard]] std::unexpected<error> bad(std::string text) {
    return fail(gateway_errc::bad_request, std::move(text));
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Decoded bytes; nullopt for a bad escape.
std::optional<std::string> percent_decode(std::string_view raw, bool plus_is_space) {
    std::string out;
    out.reserve(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '%') {
            if (raw.size() - i < 3) return std::nullopt;
            const int high = hex_value(raw[i + 1]), low = hex_value(raw[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += plus_is_space && raw[i] == '+' ? ' ' : raw[i];
        }
    }
    return out;
}

/// The place of `c`, or the end.
std::size_t place_of(std::string_view text, char c, std::size_t from = 0) noexcept {
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(from);
    return static_cast<std::size_t>(std::find(begin, text.end(), c) - text.begin());
}

bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
}

}  // namespace

result<target_parts> split_target(std::string_view target) {
    if (target.find('#') != target.npos) return bad("The request target has a fragment.");
    if (target == "*") return target_parts{target, {}};
    if (!target.starts_with('/')) {
        const std::size_t scheme_end = target.find("://");
        if (scheme_end == target.npos ||
            (!same_ignoring_case(target.substr(0, scheme_end), "http") &&
             !same_ignoring_case(target.substr(0, scheme_end), "https")))
            return bad("The request target is neither a path nor an http URL.");
        target.remove_prefix(scheme_end + 3);
        const std::size_t authority_end = std::min(target.find_first_of("/?"), target.size());
        if (authority_end == 0) return bad("The request target names no host.");
        target.remove_prefix(authority_end);
    }
    const std::size_t question = place_of(target, '?');
    target_parts out{target.substr(0, question),
                     target.substr(std::min(question + 1, target.size()))};
    if (out.path.empty()) out.path = "/";
    return out;
}

result<std::vector<std::string>> decode_path(std::string_view path) {
    std::vector<std::string> out;
    for (std::size_t begin = 1; begin <= path.size();) {
        const std::size_t end = place_of(path, '/', begin);
        auto segment = percent_decode(path.substr(begin, end - begin), false);
        if (!segment) return bad("The path has a bad percent-escape.");
        if (std::any_of(segment->begin(), segment->end(), is_control))
            return bad("The path contains a control character.");
        if (!is_utf8(*segment)) return bad("The path is not UTF-8.");
        out.push_back(std::move(*segment));
        begin = end + 1;
    }
    return out;
}

result<std::vector<query_arg>> decode_query(std::string_view query) {
    std::vector<query_arg> out;
    while (!query.empty()) {
        const std::size_t end = place_of(query, '&');
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = place_of(pair, '=');
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!name || !value) return bad("The query string has a bad percent-escape.");
        for (const std::string* text : {&*name, &*value}) {
            if (text->find('\0') != text->npos) return bad("The query string contains a NUL.");
            if (!is_utf8(*text)) return bad("The query string is not UTF-8.");
        }
        out.push_back({std::move(*name), std::move(*value)});
    }
    return out;
}

std::string encode_segment(std::string_view text) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') ||
                           std::string_view{"-._~!$&'()*+,;=:@"}.find(c) != std::string_view::npos;
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += hex[byte >> 4];
            out += hex[byte & 15];
        }
    }
    return out;
}

}  // namespace flexcore::gateway
