// Where the server is, and texts on their way into a request's target.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace flexcore::cli {

struct url {
    std::string host;  ///< without brackets
    std::string port = "80";
    std::string base;  ///< path before every target, without its last '/'; mostly empty

    /// "127.0.0.1:8080", "[::1]:8080": for the Host header and for messages.
    [[nodiscard]] std::string authority() const;
};

/// http://HOST[:PORT][/BASE]; a bare HOST:PORT is taken as http.
/// Errors: base_errc::invalid_argument.
[[nodiscard]] result<url> parse_url(std::string_view);

/// Everything but letters, digits and -._~ as %XX (RFC 3986).
[[nodiscard]] std::string percent_encoded(std::string_view);

}  // namespace flexcore::cli
