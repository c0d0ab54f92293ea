// request: one HTTP request as routes see it; plain values, filled on the io thread.
//
// Lifetime: as long as the responder handed out with it. Immutable once the handler has it, so a
//           worker may read it.
#pragma once

#include "base/clock.hpp"
#include "bus/caller.hpp"
#include "gateway/target.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

struct route;

enum class verb : std::uint8_t { get, head, post, put, patch, delete_, options, other };
inline constexpr std::size_t verbs = 8;
[[nodiscard]] std::string_view name_of(verb) noexcept;

/// A target with the route it leads to; immutable, shared by the requests of one io thread that
/// have the same target.
struct resolved_target {
    const route* to = nullptr;
    std::string path;                 ///< raw, for the log and for `instance`
    std::vector<std::string> params;  ///< decoded, in the order of the route's pattern
    std::vector<query_arg> args;      ///< decoded, names checked against the route
    /// What a route worked out from this target, for the next request with the same one. Belongs to
    /// the route; touched on the io thread alone.
    mutable std::shared_ptr<const void> memo;

    /// The value of an argument, nullptr when it is not there.
    [[nodiscard]] const std::string* arg(std::string_view name) const noexcept {
        for (const query_arg& one : args)
            if (one.name == name) return &one.value;
        return nullptr;
    }
};

/// What a WebSocket is asked for with.
struct socket_fields {
    std::string upgrade, key, version;
    bool connection_upgrade = false;
};

/// Header fields that matter here; the rest is not kept.
struct request_fields {
    std::string content_type, content_encoding, expect;
    std::string idempotency_key, if_none_match, last_event_id;
    std::string request_id, tenant, traceparent, tracestate;
    std::string accept_encoding;
    std::string host, origin;  ///< several Origin fields make a list, which is no origin
    socket_fields socket;
    bool has_content_type = false, has_idempotency_key = false, has_tenant = false;
    std::string_view duplicate;  ///< a field of these that came twice, else empty
};

struct request {
    verb method = verb::other;
    std::string target;
    bool http10 = false;
    request_fields fields;
    std::shared_ptr<const resolved_target> at;  ///< null when the target led nowhere
    bool ndjson = false;  ///< the body is NDJSON (only where the route takes it)
    std::string body;
    bus::caller who;
    monotonic::time_point received;

    [[nodiscard]] const std::string& param(std::size_t i) const { return at->params[i]; }
    [[nodiscard]] std::string_view trace_id() const noexcept;
    void clear();  ///< for use with another request; keeps capacity
};

}  // namespace flexcore::gateway
