// HTTP as a test sees it: raw bytes out, parsed replies in. Deliberately not the client of the
// program itself, so that both ends are checked by somebody else.
//
// Errors:  std::runtime_error when the peer cannot be reached, breaks HTTP, or stays silent beyond
//          the bound.
// Threads: one connection belongs to one thread.
#pragma once

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexcore::test {

using headers = std::vector<std::pair<std::string, std::string>>;

struct http_reply {
    int status = 0;
    headers fields;    ///< in order, as sent
    std::string body;  ///< chunks already joined

    /// The first field of that name (any case), empty when there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const;
    /// The body as JSON; throws when it is not.
    [[nodiscard]] boost::json::value json() const;
};

class http_connection {
public:
    static constexpr std::chrono::seconds bound_default{30};

    explicit http_connection(std::uint16_t port, std::chrono::milliseconds bound = bound_default);
    ~http_connection();
    http_connection(http_connection&&) noexcept;
    http_connection& operator=(http_connection&&) = delete;

    /// Bytes exactly as given: pipelined requests, broken framing, half a request.
    void send(std::string_view bytes);
    /// No more bytes will come from this side.
    void shut_down_sending();
    /// The next reply of this connection. `of_head`: it answers HEAD, so it has no body.
    [[nodiscard]] http_reply reply(bool of_head = false);
    /// For endless bodies (SSE): head once, then parts of the body as they come, chunks joined;
    /// empty at the end of the body.
    [[nodiscard]] http_reply reply_head();
    [[nodiscard]] std::string body_part();
    /// True when the peer closes (or resets) within the bound without sending anything more.
    [[nodiscard]] bool closed();
    /// One request and its reply.
    [[nodiscard]] http_reply ask(std::string_view method, std::string_view target,
                                 std::string_view body = {}, const headers& extra = {});

private:
    struct state;
    state* state_;
};

/// The bytes of one request: Host, and for a body Content-Type (JSON unless given) and length.
[[nodiscard]] std::string request_text(std::string_view method, std::string_view target,
                                       std::string_view body = {}, const headers& extra = {});

/// One request over a connection of its own.
[[nodiscard]] http_reply http(std::uint16_t port, std::string_view method, std::string_view target,
                              std::string_view body = {}, const headers& extra = {});

/// A port that was free a moment ago. Prefer port 0 and the server's --port-file.
[[nodiscard]] std::uint16_t free_port();

/// Server-Sent Events of one connection.
struct sse_event {
    std::string id, event, data;  ///< several data lines are joined by '\n'
    std::string comment;          ///< set alone for a comment line
};
class sse_reader {
public:
    sse_reader(std::uint16_t port, std::string_view target, const headers& extra = {});
    [[nodiscard]] const http_reply& head() const noexcept { return head_; }
    /// The next event or comment; empty when the server ended the stream.
    [[nodiscard]] std::optional<sse_event> next();

private:
    http_connection connection_;
    http_reply head_;
    std::string buffer_;
};

}  // namespace flexcore::test
