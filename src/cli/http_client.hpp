// http_client: the sub-commands' way to the server. Synchronous, one request at a time, one kept
// connection.
//
// Reuse:   the connection is kept between requests. When the server has closed a kept connection
//          before anything of the answer came, a request that changes nothing (GET) is sent once
//          more on a fresh one; any other fails with cli_errc::broken, and its caller decides.
// Bounds:  connecting, and every silence of the server while an answer is awaited or comes in.
// Errors:  cli_errc::unreachable (nothing was sent), cli_errc::broken (it may have taken effect),
//          cli_errc::timeout (the same). Texts are for people.
// Threads: one client belongs to one thread.
#pragma once

#include "base/result.hpp"
#include "cli/url.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexcore::cli {

enum class cli_errc {
    unreachable = 1,  ///< no connection: the server has seen nothing
    broken,           ///< the connection ended before the answer was complete
    timeout,          ///< no answer in time
    bad_answer,       ///< the answer is not what the API promises
    refused,          ///< the server answered with a problem
    bad_input,        ///< a file or text given by the person is not what it must be
};
std::error_code make_error_code(cli_errc) noexcept;
/// "unreachable", "connection_lost", "timeout", …: for programs. "failed" for other codes.
[[nodiscard]] std::string_view name_of(const std::error_code&) noexcept;

struct http_request {
    std::string method = "GET";
    std::string target;  ///< path and query, percent-encoded
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
};

struct http_answer {
    int status = 0;
    std::string content_type;
    std::string retry_after;
    std::string body;  ///< empty for `open`
};

class http_client {
public:
    struct timeouts {
        std::chrono::milliseconds connect{5'000};
        std::chrono::milliseconds silence{60'000};
    };
    http_client(url where, timeouts);
    ~http_client();
    http_client(http_client&&) noexcept;

    [[nodiscard]] result<http_answer> ask(const http_request&);

    /// For bodies without an end: the head of the answer; then `read_part` as often as wanted.
    [[nodiscard]] result<http_answer> open(const http_request&);
    /// What has come in since (at least one byte); nothing at the end of the body.
    [[nodiscard]] result<std::optional<std::string>> read_part();

    [[nodiscard]] const url& where() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::cli

template <>
struct std::is_error_code_enum<flexcore::cli::cli_errc> : std::true_type {};
