#include "gateway/cors.hpp"

#include "gateway/errc.hpp"

namespace flexcore::gateway {
namespace {

/// How long a browser may keep the answer to a preflight.
constexpr std::string_view preflight_seconds = "600";
constexpr std::string_view exposed =
    "Age, ETag, FlexCore-Position, Idempotent-Replay, Location, Retry-After, X-Request-Id";
constexpr std::string_view taken =
    "Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id, X-Tenant-Id, "
    "traceparent, tracestate";

bool is_safe(verb method) noexcept {
    return method == verb::get || method == verb::head || method == verb::options;
}

}  // namespace

result<void> check_origin(const request& asked, const origin_list& allowed) {
    const std::string& origin = asked.fields.origin;
    if (is_safe(asked.method) || is_same_host(origin, asked.fields.host) || allowed.allows(origin))
        return {};
    return fail(gateway_errc::forbidden,
                "Pages of this origin may not change anything here; see http.cors_origins.");
}

void add_cors(response& answer, const request& asked, const origin_list& allowed) {
    if (allowed.empty()) return;
    answer.headers.push_back({"Vary", "Origin"});
    if (asked.fields.origin.empty() || !allowed.allows(asked.fields.origin)) return;
    answer.headers.push_back({"Access-Control-Allow-Origin", asked.fields.origin});
    answer.headers.push_back({"Access-Control-Expose-Headers", std::string{exposed}});
}

void add_preflight(response& answer, const request& asked, const origin_list& allowed,
                   std::string_view methods) {
    if (asked.fields.origin.empty() || !allowed.allows(asked.fields.origin)) return;
    answer.headers.push_back({"Access-Control-Allow-Methods", std::string{methods}});
    answer.headers.push_back({"Access-Control-Allow-Headers", std::string{taken}});
    answer.headers.push_back({"Access-Control-Max-Age", std::string{preflight_seconds}});
}

}  // namespace flexcore::gateway
