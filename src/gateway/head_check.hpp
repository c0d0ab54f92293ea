// Framing of a request's head, checked on its raw bytes before any parser believes it.
//
// Why:     Beast accepts what HTTP forbids (no Host, two Hosts, obs-fold, other transfer codings,
//          equal Content-Length fields), and a server that guesses can be made to disagree with
//          what stands before it about where a request ends.
// Errors:  gateway_errc::bad_request, uri_too_long, header_too_large. All of them end the
//          connection: nothing behind a broken head can be trusted.
// Threads: values without shared state.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string_view>

namespace flexcore::gateway {

inline constexpr std::size_t target_bytes_max = 8u << 10;
inline constexpr std::size_t header_fields_max = 100;

/// Finds the end of a head as its bytes arrive and stops at the first byte no head can have.
class head_scanner {
public:
    explicit head_scanner(std::size_t head_bytes_max) : head_bytes_max_{head_bytes_max} {}

    /// `text` is the head from its first byte, longer with each call. Answers the length of the
    /// whole head with its closing empty line, 0 while it is not complete.
    [[nodiscard]] result<std::size_t> scan(std::string_view text);
    void reset() noexcept;

private:
    std::size_t head_bytes_max_;
    std::size_t at_ = 0;  ///< bytes looked at
    std::size_t line_begin_ = 0;
    bool after_cr_ = false;
    bool first_line_ = true;
};

/// Checks a complete head: request line, field names, Host, Content-Length, Transfer-Encoding.
[[nodiscard]] result<void> check_head(std::string_view head);

}  // namespace flexcore::gateway
