#include "gateway/problem.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "bus/errc.hpp"
#include "domain/errc.hpp"
#include "gateway/errc.hpp"
#include "plugin/plugin_host.hpp"
#include "schema/schema.hpp"
#include "store/errc.hpp"
#include "telemetry/log.hpp"
#include "telemetry/log_pace.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace flexcore::gateway {
namespace {

constexpr problem_kind bad_request{400, "bad_request", "Bad request"};
constexpr problem_kind validation_failed{400, "validation_failed", "Validation failed"};
constexpr problem_kind unauthorized{401, "unauthorized", "Authentication is needed"};
constexpr problem_kind forbidden{403, "forbidden", "Forbidden"};
constexpr problem_kind not_found{404, "not_found", "Not found"};
constexpr problem_kind stream_not_found{404, "stream_not_found", "No such stream"};
constexpr problem_kind method_not_allowed{405, "method_not_allowed", "Method not allowed"};
constexpr problem_kind request_timeout{408, "request_timeout", "The request came too slowly"};
constexpr problem_kind version_conflict{409, "version_conflict",
                                        "The stream is at another version"};
constexpr problem_kind append_conflict{409, "append_conflict", "A condition does not hold"};
constexpr problem_kind event_id_conflict{409, "event_id_conflict", "An event id is already known"};
constexpr problem_kind request_in_progress{409, "request_in_progress",
                                           "The first request with this key still runs"};
constexpr problem_kind read_model_behind{409, "read_model_behind",
                                         "The read model has not come that far"};
constexpr problem_kind wrong_state{409, "wrong_state", "Not possible in the present state"};
constexpr problem_kind name_taken{409, "name_taken", "The name is taken"};
constexpr problem_kind stream_deleted{410, "stream_deleted", "The stream was deleted for good"};
constexpr problem_kind payload_too_large{413, "payload_too_large", "The body is too large"};
constexpr problem_kind uri_too_long{414, "uri_too_long", "The target is too long"};
constexpr problem_kind unsupported_media_type{415, "unsupported_media_type",
                                              "The content type is not taken here"};
constexpr problem_kind expectation_failed{417, "expectation_failed", "Unknown expectation"};
constexpr problem_kind command_rejected{422, "command_rejected", "The command was refused"};
constexpr problem_kind idempotency_conflict{422, "idempotency_conflict",
                                            "The key is known with another request"};
constexpr problem_kind plugin_refused{422, "plugin_refused", "The plugin cannot be loaded"};
constexpr problem_kind upgrade_required{426, "upgrade_required", "An upgrade is needed"};
constexpr problem_kind header_too_large{431, "header_too_large", "The header is too large"};
constexpr problem_kind internal{500, "internal", "Internal error"};
constexpr problem_kind plugin_failed{502, "plugin_failed", "The plugin failed"};
constexpr problem_kind busy{503, "busy", "Busy; try again"};
constexpr problem_kind not_ready{503, "not_ready", "Not ready"};
constexpr problem_kind store_unavailable{503, "store_unavailable", "The store is not available"};
constexpr problem_kind store_full{507, "store_full", "No space is left for the store"};
constexpr problem_kind deadline_exceeded{504, "deadline_exceeded", "The time was not enough"};

// Each switch below names every enumerator: a new one does not compile until it has its place.

const problem_kind& of(base_errc code) {
    switch (code) {
        case base_errc::invalid_json:
        case base_errc::invalid_argument:
            return bad_request;
        case base_errc::invalid_name:
            return validation_failed;
        case base_errc::io:
        case base_errc::internal:
            return internal;
    }
    return internal;
}

const problem_kind& of(gateway_errc code) {
    switch (code) {
        case gateway_errc::bad_request:
            return bad_request;
        case gateway_errc::validation_failed:
            return validation_failed;
        case gateway_errc::forbidden:
            return forbidden;
        case gateway_errc::not_found:
            return not_found;
        case gateway_errc::method_not_allowed:
            return method_not_allowed;
        case gateway_errc::append_conflict:
            return append_conflict;
        case gateway_errc::payload_too_large:
            return payload_too_large;
        case gateway_errc::unsupported_media_type:
            return unsupported_media_type;
        case gateway_errc::uri_too_long:
            return uri_too_long;
        case gateway_errc::header_too_large:
            return header_too_large;
        case gateway_errc::request_timeout:
            return request_timeout;
        case gateway_errc::expectation_failed:
            return expectation_failed;
        case gateway_errc::busy:
            return busy;
        case gateway_errc::not_ready:
            return not_ready;
        case gateway_errc::upgrade_required:
            return upgrade_required;
    }
    return internal;
}

const problem_kind& of(store::store_errc code) {
    using store::store_errc;
    switch (code) {
        case store_errc::version_conflict:
            return version_conflict;
        case store_errc::condition_failed:
            return append_conflict;
        case store_errc::event_id_conflict:
            return event_id_conflict;
        case store_errc::key_conflict:
            return idempotency_conflict;
        case store_errc::stream_not_found:
            return stream_not_found;
        case store_errc::event_not_found:
        case store_errc::unknown_model:
            return not_found;
        case store_errc::stream_deleted:
            return stream_deleted;
        case store_errc::invalid_request:
        case store_errc::not_indexed:
        case store_errc::invalid_cursor:
            return bad_request;
        case store_errc::busy:
            return busy;
        case store_errc::full:
            return store_full;
        case store_errc::unavailable:
        case store_errc::locked:
        case store_errc::stopped:
            return store_unavailable;
        case store_errc::corrupt:
        case store_errc::newer_schema:
        case store_errc::checkpoint_conflict:
        case store_errc::unknown_generation:
            return internal;
    }
    return internal;
}

const problem_kind& of(bus::bus_errc code) {
    using bus::bus_errc;
    switch (code) {
        case bus_errc::unknown_command:
        case bus_errc::unknown_query:
        case bus_errc::not_found:
            return not_found;
        case bus_errc::validation_failed:
            return validation_failed;
        case bus_errc::unauthorized:
            return unauthorized;
        case bus_errc::forbidden:
            return forbidden;
        case bus_errc::command_rejected:
            return command_rejected;
        case bus_errc::idempotency_conflict:
            return idempotency_conflict;
        case bus_errc::request_in_progress:
            return request_in_progress;
        case bus_errc::read_model_behind:
            return read_model_behind;
        case bus_errc::busy:
        case bus_errc::unavailable:
            return busy;
        case bus_errc::deadline_exceeded:
            return deadline_exceeded;
        case bus_errc::handler_failed:
            return internal;
        case bus_errc::duplicate_name:
            return name_taken;
    }
    return internal;
}

const problem_kind& of(domain::domain_errc code) {
    using domain::domain_errc;
    switch (code) {
        case domain_errc::unknown_projection:
            return not_found;
        case domain_errc::wrong_state:
            return wrong_state;
        case domain_errc::behavior_failed:
        case domain_errc::log_incompatible:
            return internal;
    }
    return internal;
}

const problem_kind& of(schema_errc code) {
    switch (code) {
        case schema_errc::invalid_schema:
            return bad_request;
        case schema_errc::invalid_value:
            return validation_failed;
    }
    return internal;
}

const problem_kind& of(plugin::plugin_errc code) {
    using plugin::plugin_errc;
    switch (code) {
        case plugin_errc::not_found:
        case plugin_errc::unsupported:
            return not_found;
        case plugin_errc::already_loaded:
            return name_taken;
        case plugin_errc::outside_dirs:
            return forbidden;
        case plugin_errc::bad_file:
        case plugin_errc::bad_abi:
        case plugin_errc::bad_catalogue:
        case plugin_errc::bad_config:
        case plugin_errc::refused:
            return plugin_refused;
        case plugin_errc::failed:
            return plugin_failed;
        case plugin_errc::invalid_input:
            return validation_failed;
        case plugin_errc::timeout:
        case plugin_errc::drain_timeout:
            return deadline_exceeded;
        case plugin_errc::busy:
        case plugin_errc::draining:
            return busy;
    }
    return internal;
}

template <class Code>
bool is_of(const std::error_code& code) noexcept {
    static const std::error_category& category = make_error_code(Code{}).category();
    return code.category() == category;
}

/// Members of the document that are not the error's own to set, or that became header fields.
bool is_reserved(std::string_view name) noexcept {
    for (const std::string_view one : {"type", "title", "status", "detail", "instance", "code",
                                       "request_id", "replayed", "allow"})
        if (name == one) return true;
    return false;
}

void append_members(std::string& out, const error& e) {
    if (!e.members) return;
    for (const auto& [name, value] : *e.members) {
        if (is_reserved(name)) continue;
        out += ',';
        json::append_string(out, name);
        out += ':';
        out += boost::json::serialize(value);
    }
}

std::string detail_of(const error& e, const problem_kind& kind) {
    if (e.client.empty()) return std::string{kind.title} + '.';
    return to_utf8(e.client);
}

/// Refusals come by the thousand when there is too much to do or the store is away, and each has
/// its line in the access log: what stands behind them is said once in a second for each kind.
/// How many alike were left out before; nullopt: not now.
std::optional<std::uint64_t> may_log(const problem_kind& kind) {
    constexpr std::array refusals{&busy, &not_ready, &store_unavailable, &store_full};
    static std::array<telemetry::log_pace, refusals.size()> paces;
    const auto at = std::ranges::find(refusals, &kind);
    if (at == refusals.end()) return 0;
    return paces[static_cast<std::size_t>(at - refusals.begin())].take(monotonic::now());
}

void log_failure(const error& e, const problem_kind& kind, std::string_view path,
                 std::string_view request_id) {
    const auto left_out = may_log(kind);
    if (!left_out) return;
    telemetry::log(telemetry::level::warn, "gateway", "request failed",
                   {{"code", kind.code},
                    {"path", path},
                    {"request_id", request_id},
                    {"detail", std::string_view{e.client}},
                    {"cause", std::string_view{e.log}},
                    {"left_out", *left_out}});
}

const boost::json::value* member(const error& e, std::string_view name) {
    return e.members ? e.members->if_contains(name) : nullptr;
}

}  // namespace

const problem_kind& problem_of(const std::error_code& code) noexcept {
    if (is_of<gateway_errc>(code)) return of(static_cast<gateway_errc>(code.value()));
    if (is_of<bus::bus_errc>(code)) return of(static_cast<bus::bus_errc>(code.value()));
    if (is_of<store::store_errc>(code)) return of(static_cast<store::store_errc>(code.value()));
    if (is_of<base_errc>(code)) return of(static_cast<base_errc>(code.value()));
    if (is_of<domain::domain_errc>(code)) return of(static_cast<domain::domain_errc>(code.value()));
    if (is_of<plugin::plugin_errc>(code)) return of(static_cast<plugin::plugin_errc>(code.value()));
    if (is_of<schema_errc>(code)) return of(static_cast<schema_errc>(code.value()));
    return internal;
}

std::string problem_json(const error& e, std::string_view instance, std::string_view request_id) {
    const problem_kind& kind = problem_of(e.code);
    std::string out = "{\"type\":\"/problems/";
    out += kind.code;
    out += "\",\"title\":";
    json::append_string(out, kind.title);
    out += ",\"status\":";
    json::append_number(out, static_cast<std::uint64_t>(kind.status));
    out += ",\"detail\":";
    json::append_string(out, detail_of(e, kind));
    out += ",\"instance\":";
    json::append_string(out, instance);
    out += ",\"code\":\"";
    out += kind.code;
    out += "\",\"request_id\":";
    json::append_string(out, request_id);
    append_members(out, e);
    out += '}';
    return out;
}

response problem_response(const error& e, const request& asked) {
    const problem_kind& kind = problem_of(e.code);
    const std::string_view target = asked.target;
    const std::string_view instance =
        asked.at ? std::string_view{asked.at->path} : target.substr(0, target.find('?'));
    if (kind.status >= 500) log_failure(e, kind, instance, asked.who.request_id);
    response out;
    out.status = kind.status;
    out.content_type = problem_type;
    out.body = problem_json(e, instance.empty() ? "/" : instance, asked.who.request_id);
    // Both pass without anybody asking again differently: space is freed, a queue empties.
    if (kind.status == 503 || kind.status == 507) out.headers.push_back({"Retry-After", "1"});
    if (const auto* allow = member(e, "allow"); allow != nullptr && allow->is_string())
        out.headers.push_back({"Allow", std::string{allow->get_string()}});
    if (member(e, "replayed") != nullptr) out.headers.push_back({"Idempotent-Replay", "true"});
    return out;
}

void append_problem_item(std::string& out, const error& e) {
    const problem_kind& kind = problem_of(e.code);
    out += "{\"status\":";
    json::append_number(out, static_cast<std::uint64_t>(kind.status));
    out += ",\"code\":\"";
    out += kind.code;
    out += "\",\"detail\":";
    json::append_string(out, detail_of(e, kind));
    append_members(out, e);
    out += '}';
}

}  // namespace flexcore::gateway
