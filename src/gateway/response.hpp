// response: what a handler answers; plain values, turned into bytes by the connection.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexcore::gateway {

inline constexpr std::string_view json_type = "application/json";
inline constexpr std::string_view ndjson_type = "application/x-ndjson";
inline constexpr std::string_view problem_type = "application/problem+json";
inline constexpr std::string_view octets_type = "application/octet-stream";
inline constexpr std::string_view event_stream_type = "text/event-stream";

struct response {
    struct header {
        std::string_view name;  ///< a literal
        std::string value;      ///< without CR and LF
    };
    int status = 200;
    std::string_view content_type = json_type;  ///< a literal; empty: none
    std::vector<header> headers;
    std::string body;
    /// Instead of `body`: bytes that somebody else owns.
    std::shared_ptr<const void> owner;
    std::string_view shared;
    /// Counts its bytes among those held for clients; null: whoever sends it does.
    std::shared_ptr<const void> counted;
    std::size_t unchanged_bytes = 0;  ///< of a 304: how long the body is that is not sent
    bool close = false;               ///< close the connection behind it
    bool flows = false;               ///< answers HEAD where GET's body has no length known before

    [[nodiscard]] std::string_view bytes() const noexcept {
        return owner ? shared : std::string_view{body};
    }
};

[[nodiscard]] inline response json_response(std::string body, int status = 200) {
    response out;
    out.status = status;
    out.body = std::move(body);
    return out;
}

/// What the connection adds to every answer.
struct head_extras {
    std::string_view request_id;
    std::string_view date;  ///< IMF-fixdate
    bool http10 = false;
    bool close = false;
    bool chunked = false;      ///< the body follows in chunks of unknown total length
    bool until_close = false;  ///< no length is told: HEAD, or the connection's end is the body's
};

/// Appends the status line and the header fields with their closing empty line.
void append_head(std::string& out, const response&, const head_extras&);
[[nodiscard]] std::string_view reason_of(int status) noexcept;

}  // namespace flexcore::gateway
