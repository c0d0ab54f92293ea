#include "base/origins.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace flexcore {
namespace {

constexpr std::size_t origin_bytes_max = 512;

std::string lowered(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

bool is_port(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == text.npos;
}

/// "host[:port]" in lower case without the port of the scheme; empty when it is none.
std::string authority(std::string_view text, std::string_view own_port) {
    const bool bracketed = text.starts_with('[');
    std::size_t host_end = text.size();
    if (bracketed) {
        const std::size_t close = text.find(']');
        if (close == text.npos || close < 3) return {};
        host_end = close + 1;
        if (text.substr(1, close - 1).find_first_not_of("0123456789abcdefABCDEF:.") != text.npos)
            return {};
    } else {
        host_end = std::min(text.find(':'), text.size());
        const std::string_view host = text.substr(0, host_end);
        const auto plain = [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                   c == '.' || c == '-' || c == '_';
        };
        if (host.empty() || !std::all_of(host.begin(), host.end(), plain)) return {};
    }
    std::string_view port = text.substr(host_end);
    if (!port.empty()) {
        if (port.front() != ':' || !is_port(port.substr(1))) return {};
        if (port.substr(1) == own_port) port = {};
    }
    return lowered(text.substr(0, host_end)) + std::string{port};
}

/// An address or localhost: what no name server can make point elsewhere. Takes what `authority`
/// makes.
bool is_fixed(std::string_view authority) {
    if (authority.starts_with('[')) return true;
    const std::string host{authority.substr(0, authority.find(':'))};
    in_addr ignored{};
    return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

struct scheme {
    std::string_view prefix, port;
};
constexpr scheme schemes[] = {{"http://", "80"}, {"https://", "443"}};

}  // namespace

std::optional<std::string> canonical_origin(std::string_view text) {
    if (text.size() > origin_bytes_max) return std::nullopt;
    for (const scheme& one : schemes) {
        if (lowered(text.substr(0, one.prefix.size())) != one.prefix) continue;
        const std::string rest = authority(text.substr(one.prefix.size()), one.port);
        if (rest.empty()) return std::nullopt;
        return std::string{one.prefix} + rest;
    }
    return std::nullopt;
}

bool is_same_host(std::string_view origin, std::string_view host) {
    const auto canonical = canonical_origin(origin);
    if (!canonical) return false;
    for (const scheme& one : schemes)
        if (canonical->starts_with(one.prefix))
            return is_fixed(canonical->substr(one.prefix.size())) &&
                   canonical->substr(one.prefix.size()) == authority(host, one.port);
    return false;
}

origin_list::origin_list(const std::vector<std::string>& allowed) {
    for (const std::string& one : allowed)
        if (auto canonical = canonical_origin(one)) all_.push_back(std::move(*canonical));
}

bool origin_list::allows(std::string_view origin) const {
    if (all_.empty()) return false;
    const auto canonical = canonical_origin(origin);
    return canonical && std::find(all_.begin(), all_.end(), *canonical) != all_.end();
}

}  // namespace flexcore
