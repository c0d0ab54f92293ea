#include "support/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/parse.hpp>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace flexcore::test {
namespace {

namespace http_ = boost::beast::http;

[[noreturn]] void broken(const std::string& what) { throw std::runtime_error{"http: " + what}; }

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int tcp_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) broken(std::strerror(errno));
    return fd;
}

}  // namespace

std::string_view http_reply::header(std::string_view name) const {
    for (const auto& [key, value] : fields)
        if (boost::beast::iequals(key, name)) return value;
    return {};
}

boost::json::value http_reply::json() const { return boost::json::parse(body); }

struct http_connection::state {
    int fd = -1;
    std::chrono::milliseconds bound;
    std::string in;  // received, not yet parsed
    std::optional<http_::response_parser<http_::string_body>> endless;

    /// Zero at the end of the connection (a reset counts as an end).
    std::size_t receive() {
        pollfd watched{fd, POLLIN, 0};
        const int ready = ::poll(&watched, 1, static_cast<int>(bound.count()));
        if (ready == 0) broken("the peer stays silent");
        char part[65536];
        const ssize_t n = ::recv(fd, part, sizeof part, 0);
        if (n < 0 && errno != ECONNRESET) broken(std::strerror(errno));
        if (n <= 0) return 0;
        in.append(part, static_cast<std::size_t>(n));
        return static_cast<std::size_t>(n);
    }

    template <class Parser, class Done>
    void feed(Parser& parser, const Done& done) {
        while (!done()) {
            boost::beast::error_code ec;
            std::size_t used = 0;
            if (!in.empty()) used = parser.put(boost::asio::buffer(in), ec);
            in.erase(0, used);
            if (ec && ec != http_::error::need_more) broken(ec.message());
            if (used != 0 && !ec) continue;
            if (done()) return;
            if (receive() == 0) {
                if (!parser.got_some()) broken("closed before a reply");
                parser.put_eof(ec);
                if (ec || !done()) broken("closed within a reply");
            }
        }
    }
};

http_connection::http_connection(std::uint16_t port, std::chrono::milliseconds bound)
    : state_{new state{tcp_socket(), bound, {}, {}}} {
    const sockaddr_in address = loopback(port);
    if (::connect(state_->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const std::string why = std::strerror(errno);
        ::close(state_->fd);
        delete state_;
        broken("port " + std::to_string(port) + ": " + why);
    }
    const int yes = 1;
    ::setsockopt(state_->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

http_connection::~http_connection() {
    if (state_ == nullptr) return;
    ::close(state_->fd);
    delete state_;
}

http_connection::http_connection(http_connection&& other) noexcept
    : state_{std::exchange(other.state_, nullptr)} {}

void http_connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        pollfd watched{state_->fd, POLLOUT, 0};
        if (::poll(&watched, 1, static_cast<int>(state_->bound.count())) == 0)
            broken("the peer does not read");
        const ssize_t n =
            ::send(state_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) broken(std::strerror(errno));
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void http_connection::shut_down_sending() { ::shutdown(state_->fd, SHUT_WR); }

namespace {
template <class Message>
void take_head(const Message& message, http_reply& reply) {
    reply.status = static_cast<int>(message.result_int());
    for (const auto& field : message) reply.fields.emplace_back(field.name_string(), field.value());
}
}  // namespace

http_reply http_connection::reply(bool of_head) {
    http_::response_parser<http_::string_body> parser;
    parser.body_limit(boost::none);
    parser.header_limit(1u << 20);
    parser.eager(true);
    parser.skip(of_head);
    state_->feed(parser, [&] { return parser.is_done(); });
    http_reply reply;
    take_head(parser.get(), reply);
    reply.body = std::move(parser.get().body());
    return reply;
}

http_reply http_connection::reply_head() {
    auto& parser = state_->endless.emplace();
    parser.body_limit(boost::none);
    parser.header_limit(1u << 20);
    state_->feed(parser, [&] { return parser.is_header_done(); });
    parser.eager(true);
    http_reply reply;
    take_head(parser.get(), reply);
    return reply;
}

std::string http_connection::body_part() {
    if (!state_->endless) broken("body_part() without reply_head()");
    auto& parser = *state_->endless;
    state_->feed(parser, [&] { return parser.is_done() || !parser.get().body().empty(); });
    return std::exchange(parser.get().body(), {});
}

bool http_connection::closed() { return state_->in.empty() && state_->receive() == 0; }

http_reply http_connection::ask(std::string_view method, std::string_view target,
                                std::string_view body, const headers& extra) {
    send(request_text(method, target, body, extra));
    return reply(method == "HEAD");
}

std::string request_text(std::string_view method, std::string_view target, std::string_view body,
                         const headers& extra) {
    std::string text;
    text.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
    bool host = false, type = false;
    for (const auto& [name, value] : extra) {
        text.append(name).append(": ").append(value).append("\r\n");
        host |= boost::beast::iequals(name, "Host");
        type |= boost::beast::iequals(name, "Content-Type");
    }
    if (!host) text.append("Host: localhost\r\n");
    if (!body.empty() && !type) text.append("Content-Type: application/json\r\n");
    if (!body.empty() || method == "POST" || method == "PUT")
        text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
    return text.append("\r\n").append(body);
}

http_reply http(std::uint16_t port, std::string_view method, std::string_view target,
                std::string_view body, const headers& extra) {
    return http_connection{port}.ask(method, target, body, extra);
}

std::uint16_t free_port() {
    const int fd = tcp_socket();
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const bool ok = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    if (!ok) broken("no free port");
    return ntohs(address.sin_port);
}

sse_reader::sse_reader(std::uint16_t port, std::string_view target, const headers& extra)
    : connection_{port} {
    connection_.send(request_text("GET", target, {}, extra));
    head_ = connection_.reply_head();
}

std::optional<sse_event> sse_reader::next() {
    for (;;) {
        const std::size_t end = buffer_.find("\n\n");
        if (end == std::string::npos) {
            const std::string part = connection_.body_part();
            if (part.empty()) return std::nullopt;
            buffer_ += part;
            continue;
        }
        std::string_view block{buffer_.data(), end};
        sse_event event;
        while (!block.empty()) {
            const std::size_t stop = block.find('\n');
            const std::string_view line = block.substr(0, stop);
            block.remove_prefix(stop == std::string_view::npos ? block.size() : stop + 1);
            const std::size_t colon = line.find(':');
            const std::string_view name = line.substr(0, colon);
            std::string_view value =
                colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
            if (value.starts_with(' ')) value.remove_prefix(1);
            if (name.empty()) event.comment = value;
            if (name == "id") event.id = value;
            if (name == "event") event.event = value;
            if (name == "data") event.data.append(event.data.empty() ? "" : "\n").append(value);
        }
        buffer_.erase(0, end + 2);
        return event;
    }
}

}  // namespace flexcore::test
