#include "gateway/request_parser.hpp"

#include "gateway/header_values.hpp"

#include <boost/beast/http/error.hpp>

namespace flexcore::gateway {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t last_chunk_bytes_min = std::string_view{"0\r\n\r\n"}.size();

verb verb_of(http::verb method) {
    switch (method) {
        case http::verb::get:
            return verb::get;
        case http::verb::head:
            return verb::head;
        case http::verb::post:
            return verb::post;
        case http::verb::put:
            return verb::put;
        case http::verb::patch:
            return verb::patch;
        case http::verb::delete_:
            return verb::delete_;
        case http::verb::options:
            return verb::options;
        default:
            return verb::other;
    }
}

void append_to_list(std::string& list, boost::beast::string_view value) {
    if (!list.empty()) list += ", ";
    list.append(value.data(), value.size());
}

}  // namespace

request_parser::request_parser(request& into, body_taker& body, std::size_t head_bytes_max)
    : into_{into}, body_{body}, framing_bytes_max_{head_bytes_max} {
    eager(true);
    header_limit(static_cast<std::uint32_t>(head_bytes_max));
    // The body's bound depends on the route; whoever takes it knows.
    body_limit(boost::none);
}

std::size_t request_parser::feed(std::string_view bytes, boost::system::error_code& bad) {
    bad = {};
    // Beast 1.81 has an assertion where the only chunk is the last one and comes in pieces smaller
    // than that (basic_parser::parse_chunk_header, `n >= 5`). No sound body is shorter.
    if (head_done_ && chunked() && !chunk_seen_ && bytes.size() < last_chunk_bytes_min) return 0;
    chunk_header_ = bytes.data();
    const std::size_t used = put(boost::asio::const_buffer{bytes.data(), bytes.size()}, bad);
    if (bad == http::error::need_more) bad = {};
    // Beast unfolds folded lines of a trailer; here they break the framing as they do in a head.
    if (!bad && last_chunk_end_ != nullptr) {
        const std::string_view trailer{last_chunk_end_, bytes.data() + used};
        if (trailer.find("\r\n ") != trailer.npos || trailer.find("\r\n\t") != trailer.npos)
            bad = http::error::bad_obs_fold;
        else if (static_cast<std::size_t>(bytes.data() + used - chunk_header_) > framing_bytes_max_)
            bad = http::error::header_limit;
    }
    return used;
}

void request_parser::on_request_impl(http::verb method, text, text target, int version, code&) {
    into_.method = verb_of(method);
    into_.target.assign(target.data(), target.size());
    into_.http10 = version == 10;
}

void request_parser::on_header_impl(code&) {
    head_done_ = true;
    into_.fields.socket.connection_upgrade = upgrade();
}

void request_parser::keep(std::string& into, text value, std::string_view name) {
    const auto bit = std::uint32_t{1} << (name.size() & 31);  // the names kept differ in length
    if ((seen_ & bit) != 0) into_.fields.duplicate = name;
    seen_ |= bit;
    into.assign(value.data(), value.size());
}

void request_parser::on_field_impl(http::field field, text raw_name, text value, code&) {
    if (head_done_) return;  // trailers say nothing here
    request_fields& to = into_.fields;
    switch (field) {
        case http::field::content_type:
            to.has_content_type = true;
            return keep(to.content_type, value, "Content-Type");
        case http::field::content_encoding:
            return keep(to.content_encoding, value, "Content-Encoding");
        case http::field::expect:
            return keep(to.expect, value, "Expect");
        case http::field::if_none_match:
            // A list may come in several fields.
            return append_to_list(to.if_none_match, value);
        case http::field::host:
            to.host.assign(value.data(), value.size());
            return;
        case http::field::accept_encoding:
            return append_to_list(to.accept_encoding, value);
        case http::field::origin:
            return append_to_list(to.origin, value);
        case http::field::upgrade:
            return append_to_list(to.socket.upgrade, value);
        case http::field::sec_websocket_key:
            return append_to_list(to.socket.key, value);
        case http::field::sec_websocket_version:
            return append_to_list(to.socket.version, value);
        case http::field::unknown:
            break;
        default:
            return;
    }
    const std::string_view name{raw_name.data(), raw_name.size()};
    switch (name.size()) {
        case 10:
            if (same_ignoring_case(name, "tracestate")) append_to_list(to.tracestate, value);
            return;
        case 11:
            if (same_ignoring_case(name, "x-tenant-id")) {
                to.has_tenant = true;
                keep(to.tenant, value, "X-Tenant-Id");
            } else if (same_ignoring_case(name, "traceparent")) {
                // Two of them cannot be continued; what is no traceparent is left out.
                to.traceparent = to.traceparent.empty() ? std::string{value.data(), value.size()}
                                                        : std::string{"?"};
            }
            return;
        case 12:
            if (same_ignoring_case(name, "x-request-id") && to.request_id.empty())
                to.request_id.assign(value.data(), value.size());
            return;
        case 13:
            if (same_ignoring_case(name, "last-event-id"))
                keep(to.last_event_id, value, "Last-Event-ID");
            return;
        case 15:
            if (same_ignoring_case(name, "idempotency-key")) {
                to.has_idempotency_key = true;
                keep(to.idempotency_key, value, "Idempotency-Key");
            }
            return;
        default:
            return;
    }
}

std::size_t request_parser::on_body_impl(text body, code& bad) {
    if (!body_.take_body({body.data(), body.size()})) bad = http::error::body_limit;
    return body.size();
}

void request_parser::on_chunk_header_impl(std::uint64_t bytes, text extensions, code& bad) {
    chunk_seen_ = true;
    extension_bytes_ += extensions.size();
    const char* const end = extensions.data() + extensions.size();
    if (bytes == 0) last_chunk_end_ = end;
    // Who gets it piece by piece waits for no more than this; so whole it may not be longer.
    const std::size_t header_bytes = static_cast<std::size_t>(end - chunk_header_) + 2;
    if (extension_bytes_ > framing_bytes_max_ || header_bytes > framing_bytes_max_)
        bad = http::error::bad_chunk_extension;
    else if (!body_.begin_chunk(bytes))
        bad = http::error::body_limit;
}

std::size_t request_parser::on_chunk_body_impl(std::uint64_t, text body, code& bad) {
    chunk_header_ = body.data() + body.size();  // its line end counts with the next one
    return on_body_impl(body, bad);
}

}  // namespace flexcore::gateway
