#include "schema/formats.hpp"

#include "base/clock.hpp"
#include "base/uuid.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <string>

namespace flexcore::schema_detail {
namespace {

constexpr std::size_t hostname_bytes_max = 253;  // RFC 1035
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t email_local_bytes_max = 64;  // RFC 5321
constexpr std::size_t address_bytes_max = 45;      // the longest text of an IPv6 address
constexpr std::string_view nil_uuid = "00000000-0000-0000-0000-000000000000";

constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_date_time(std::string_view text) { return parse_time(text).has_value(); }

/// A date or a time of day is what makes a whole time together with the other half.
bool completes_time(std::string_view front, std::string_view back) {
    std::string whole{front};
    whole += back;
    return parse_time(whole).has_value();
}

bool is_date(std::string_view text) {
    return text.size() == 10 && completes_time(text, "T00:00:00Z");
}

bool is_time(std::string_view text) {
    constexpr std::size_t time_bytes_max = 64;
    return text.size() <= time_bytes_max && completes_time("1970-01-01T", text);
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= label_bytes_max && label.front() != '-' &&
           label.back() != '-' && std::ranges::all_of(label, [](char c) {
               return is_letter(c) || is_digit(c) || c == '-';
           });
}

bool is_hostname(std::string_view text) {
    if (text.empty() || text.size() > hostname_bytes_max) return false;
    for (;;) {
        const std::size_t dot = text.find('.');
        if (!is_label(text.substr(0, dot))) return false;
        if (dot == text.npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_email(std::string_view text) {
    constexpr std::string_view specials = "!#$%&'*+-/=?^_`{|}~.";
    const std::size_t at = text.find('@');
    if (at == text.npos || at == 0 || at > email_local_bytes_max) return false;
    const std::string_view local = text.substr(0, at);
    return local.front() != '.' && local.back() != '.' && local.find("..") == local.npos &&
           std::ranges::all_of(local,
                               [&](char c) {
                                   return is_letter(c) || is_digit(c) ||
                                          specials.find(c) != specials.npos;
                               }) &&
           is_hostname(text.substr(at + 1));
}

/// An absolute URI: a scheme and only characters RFC 3986 knows; its parts are not looked into.
bool is_uri(std::string_view text) {
    constexpr std::string_view others = "-._~:/?#[]@!$&'()*+,;=";
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon == 0 || !is_letter(text.front())) return false;
    if (!std::ranges::all_of(text.substr(0, colon), [](char c) {
            return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
        }))
        return false;
    for (std::size_t i = colon + 1; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
            i += 2;
        } else if (!is_letter(text[i]) && !is_digit(text[i]) &&
                   others.find(text[i]) == others.npos) {
            return false;
        }
    }
    return true;
}

bool is_uuid(std::string_view text) { return parse_uuid(text).has_value() || text == nil_uuid; }

bool is_address(int family, std::string_view text) {
    // inet_pton reads up to a NUL: one inside the text must not hide the rest.
    if (text.size() > address_bytes_max || text.find('\0') != text.npos) return false;
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(family, std::string{text}.c_str(), address.data()) == 1;
}
bool is_ipv4(std::string_view text) { return is_address(AF_INET, text); }
bool is_ipv6(std::string_view text) { return is_address(AF_INET6, text); }

constexpr std::array<format, 9> formats{{
    {"date-time", "a date-time such as 2026-11-22T10:00:00Z", is_date_time},
    {"date", "a date such as 2026-11-22", is_date},
    {"time", "a time such as 10:00:00Z", is_time},
    {"email", "an e-mail address", is_email},
    {"uri", "a URI with its scheme", is_uri},
    {"uuid", "a UUID", is_uuid},
    {"ipv4", "an IPv4 address", is_ipv4},
    {"ipv6", "an IPv6 address", is_ipv6},
    {"hostname", "a host name", is_hostname},
}};

}  // namespace

const format* find_format(std::string_view name) noexcept {
    const auto found = std::ranges::find(formats, name, &format::name);
    return found == formats.end() ? nullptr : &*found;
}

}  // namespace flexcore::schema_detail
