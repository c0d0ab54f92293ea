#include "cli/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace flexcore::cli {
namespace {

bool is_port(std::string_view text) {
    unsigned value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} && end == text.data() + text.size() && value > 0 && value <= 65'535;
}

bool same_word(std::string_view a, std::string_view lower) {
    return std::ranges::equal(a, lower, {}, [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
}

std::unexpected<error> refused(std::string_view text, std::string_view why) {
    return fail(base_errc::invalid_argument,
                fmt::format("\"{}\" is no URL of a server: {}; give one like "
                            "http://127.0.0.1:8080",
                            text, why));
}

}  // namespace

std::string url::authority() const {
    const bool six = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", six ? "[" : "", host, six ? "]" : "", port);
}

result<url> parse_url(std::string_view text) {
    // Not even repeated in the refusal: what stands before the '@' may be a password.
    if (text.find('@') != std::string_view::npos)
        return fail(base_errc::invalid_argument,
                    "the URL of a server takes no user and no password; give one like "
                    "http://127.0.0.1:8080");
    std::string_view rest = text;
    if (const std::size_t end = rest.find("://"); end != std::string_view::npos) {
        const std::string_view scheme = rest.substr(0, end);
        if (same_word(scheme, "https"))
            return refused(text,
                           "only http:// is spoken here; TLS ends at whatever stands before the "
                           "server");
        if (!same_word(scheme, "http")) return refused(text, "only http:// is spoken here");
        rest.remove_prefix(end + 3);
    }
    url out;
    const std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    if (slash != std::string_view::npos) out.base = rest.substr(slash);
    while (out.base.ends_with('/')) out.base.pop_back();
    const bool odd = std::ranges::any_of(
        text, [](char c) { return c <= ' ' || c == '?' || c == '#' || c == 0x7f; });
    if (odd) return refused(text, "it holds blanks, a query or a fragment");

    std::string_view port;
    bool has_port = false;
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return refused(text, "the ']' is missing");
        out.host = authority.substr(1, end - 1);
        authority.remove_prefix(end + 1);
        has_port = authority.starts_with(':');
        if (has_port) port = authority.substr(1);
        if (!has_port && !authority.empty()) return refused(text, "':' must follow the ']'");
    } else {
        const std::size_t colon = authority.find(':');
        if (colon != authority.rfind(':'))
            return refused(text, "an IPv6 address stands in brackets, as http://[::1]:8080");
        out.host = authority.substr(0, colon);
        has_port = colon != std::string_view::npos;
        if (has_port) port = authority.substr(colon + 1);
    }
    if (out.host.empty()) return refused(text, "the host is missing");
    if (has_port && !is_port(port)) return refused(text, "the port is not from 1 to 65535");
    if (has_port) out.port = port;
    return out;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace flexcore::cli
