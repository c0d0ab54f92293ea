#include "gateway/admission.hpp"

#include "base/names.hpp"
#include "gateway/cors.hpp"
#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"
#include "gateway/problem.hpp"

#include <random>

namespace flexcore::gateway {
namespace {

constexpr std::size_t request_id_bytes_max = 128;
constexpr std::size_t idempotency_key_bytes_max = 255;

[[nodiscard]] std::unexpected<error> bad(std::string text) {
    return fail(gateway_errc::bad_request, std::move(text));
}
[[nodiscard]] std::unexpected<error> bad_type(std::string text) {
    return fail(gateway_errc::unsupported_media_type, std::move(text));
}

/// The same trace, with this server as the parent of what follows.
std::string continued(const std::string& traceparent, std::uint64_t random) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = traceparent.substr(0, 55);
    out[0] = out[1] = '0';
    random |= 1;  // all zero is invalid
    for (std::size_t i = 0; i < 16; ++i) out[36 + i] = hex[random >> (60 - 4 * i) & 15];
    return out;
}

std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
    return x ^ x >> 31;
}

result<void> check_content_type(request& asked, bool has_body) {
    const route& to = *asked.at->to;
    const request_fields& fields = asked.fields;
    if (to.body == body_kind::none) {
        if (has_body) return bad("This call takes no body.");
        return {};
    }
    if (!fields.content_encoding.empty() &&
        !same_ignoring_case(fields.content_encoding, "identity"))
        return bad_type("Bodies are taken without a content coding only.");
    if (to.body == body_kind::any) return {};
    if (!fields.has_content_type) {
        if (!has_body) return {};
        return bad_type("The body needs Content-Type: application/json.");
    }
    const media_type type = parse_media_type(fields.content_type);
    asked.ndjson = to.body == body_kind::json_or_ndjson && type.essence == ndjson_type;
    if (type.essence != json_type && !asked.ndjson)
        return bad_type(to.body == body_kind::json_or_ndjson
                            ? "The body must be application/json or application/x-ndjson."
                            : "The body must be application/json.");
    if (!type.charset.empty() && type.charset != "utf-8" && type.charset != "utf8")
        return bad_type("The body must be UTF-8.");
    return {};
}

result<void> check(request& asked, bool has_body, const router& table, target_cache& targets,
                   const origin_list& allowed) {
    request_fields& fields = asked.fields;
    // GET and HEAD share their route, so they share the cache.
    const bool reading = asked.method == verb::get || asked.method == verb::head;
    if (reading) asked.at = targets.find(asked.target);
    if (!asked.at) {
        auto at = resolve(table, asked.method, asked.target);
        if (!at) return fail(std::move(at.error()));
        asked.at = std::move(*at);
        if (reading) targets.keep(asked.target, asked.at);
    }
    if (!fields.origin.empty())
        if (auto ok = check_origin(asked, allowed); !ok) return ok;
    if (!fields.duplicate.empty())
        return bad("The request has more than one " + std::string{fields.duplicate} + " field.");
    if (fields.has_tenant) {
        if (!is_name(fields.tenant)) return bad("X-Tenant-Id must be a name.");
        asked.who.tenant = fields.tenant;
    } else {
        asked.who.tenant = "default";
    }
    if (auto ok = check_content_type(asked, has_body); !ok) return ok;
    if (fields.has_idempotency_key) {
        if (!asked.at->to->idempotency_key || asked.ndjson)
            return bad("Idempotency-Key is not taken by this call.");
        const std::string& key = fields.idempotency_key;
        if (key.empty() || key.size() > idempotency_key_bytes_max || !is_utf8(key))
            return bad("Idempotency-Key must be 1 to 255 bytes of UTF-8.");
    }
    return {};
}

}  // namespace

std::shared_ptr<const resolved_target> target_cache::find(std::string_view target) const {
    const auto found = entries_.find(target);
    return found == entries_.end() ? nullptr : found->second;
}

void target_cache::keep(std::string_view target, std::shared_ptr<const resolved_target> at) {
    if (target.size() > target_bytes_kept_max) return;
    if (entries_.size() >= entries_max) entries_.clear();
    entries_.emplace(target, std::move(at));
}

request_ids::request_ids() {
    std::random_device random;
    next_ = std::uint64_t{random()} << 32 | random();
}

std::string request_ids::next() {
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    const std::uint64_t id = next_++;
    std::string out(13, '0');
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t shift = 5 * (out.size() - 1 - i);
        out[i] = digits[id >> shift & 31];
    }
    return out;
}

std::optional<response> admit(request& asked, bool has_body, const router& table,
                              target_cache& targets, request_ids& ids, const origin_list& allowed) {
    request_fields& fields = asked.fields;
    if (is_visible_ascii(fields.request_id, request_id_bytes_max))
        asked.who.request_id = fields.request_id;
    else
        asked.who.request_id = ids.next();
    if (is_traceparent(fields.traceparent)) {
        const std::hash<std::string_view> hash;
        asked.who.traceparent = continued(
            fields.traceparent, mixed(hash(asked.who.request_id) ^ hash(fields.traceparent)));
        asked.who.tracestate = continued_tracestate(fields.tracestate);
    }

    auto ok = check(asked, has_body, table, targets, allowed);
    if (ok) return std::nullopt;
    if (asked.method == verb::options &&
        ok.error().code == make_error_code(gateway_errc::method_not_allowed)) {
        response options;
        options.status = 204;
        options.content_type = {};
        std::string methods{ok.error().members->at("allow").get_string()};
        add_preflight(options, asked, allowed, methods);
        options.headers.push_back({"Allow", std::move(methods)});
        return options;
    }
    return problem_response(ok.error(), asked);
}

}  // namespace flexcore::gateway
