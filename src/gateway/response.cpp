#include "gateway/response.hpp"

#include "base/json.hpp"

namespace flexcore::gateway {

std::string_view reason_of(int status) noexcept {
    switch (status) {
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 507:
            return "Insufficient Storage";
        default:
            return "Unknown";
    }
}

void append_head(std::string& out, const response& answer, const head_extras& extras) {
    // Nearly every answer is a 200.
    if (answer.status == 200) {
        out += "HTTP/1.1 200 OK\r\n";
    } else {
        out += "HTTP/1.1 ";
        json::append_number(out, static_cast<std::uint64_t>(answer.status));
        out += ' ';
        out += reason_of(answer.status);
        out += "\r\n";
    }
    const auto field = [&](std::string_view name, std::string_view value) {
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    };
    field("Date", extras.date);
    if (!answer.content_type.empty() && answer.status != 204)
        field("Content-Type", answer.content_type);
    for (const auto& [name, value] : answer.headers) field(name, value);
    field("X-Request-Id", extras.request_id);
    if (extras.chunked) {
        out += "Transfer-Encoding: chunked\r\n";
    } else if (!extras.until_close && answer.status != 204 && answer.status != 304) {
        out += "Content-Length: ";
        json::append_number(out, std::uint64_t{answer.bytes().size()});
        out += "\r\n";
    }
    if (extras.close)
        out += "Connection: close\r\n";
    else if (extras.http10)
        out += "Connection: keep-alive\r\n";
    out += "\r\n";
}

}  // namespace flexcore::gateway
