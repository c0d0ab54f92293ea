#include "gateway/request.hpp"

#include "gateway/header_values.hpp"

namespace flexcore::gateway {

std::string_view name_of(verb method) noexcept {
    switch (method) {
        case verb::get:
            return "GET";
        case verb::head:
            return "HEAD";
        case verb::post:
            return "POST";
        case verb::put:
            return "PUT";
        case verb::patch:
            return "PATCH";
        case verb::delete_:
            return "DELETE";
        case verb::options:
            return "OPTIONS";
        case verb::other:
            break;
    }
    return "other";
}

std::string_view request::trace_id() const noexcept {
    return who.traceparent.empty() ? std::string_view{} : trace_id_of(who.traceparent);
}

void request::clear() {
    method = verb::other;
    target.clear();
    http10 = false;
    request_fields& f = fields;
    for (std::string* text :
         {&f.content_type, &f.content_encoding, &f.expect, &f.idempotency_key, &f.if_none_match,
          &f.last_event_id, &f.request_id, &f.tenant, &f.traceparent, &f.tracestate, &f.host,
          &f.origin, &f.accept_encoding})
        text->clear();
    for (std::string* text : {&f.socket.upgrade, &f.socket.key, &f.socket.version}) text->clear();
    f.socket.connection_upgrade = false;
    f.has_content_type = f.has_idempotency_key = f.has_tenant = false;
    f.duplicate = {};
    at.reset();
    ndjson = false;
    // A large body's memory is given back; a small one's is of use to the next request.
    // (Assigning an empty one would keep it.)
    if (body.capacity() > 4096)
        std::string{}.swap(body);
    else
        body.clear();
    who.tenant.clear();
    who.principal.clear();
    who.traceparent.clear();
    who.tracestate.clear();
    who.request_id.clear();
}

}  // namespace flexcore::gateway
