#include "load_connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace flexcore::bench {
namespace {

constexpr std::size_t head_bytes_max = 64U << 10;

/// The value of a header in a head, empty when it is not there.
std::string_view header(std::string_view head, std::string_view name) {
    for (std::size_t at = 0; (at = head.find("\r\n", at)) != std::string_view::npos;) {
        at += 2;
        if (head.size() - at > name.size() && head[at + name.size()] == ':' &&
            ::strncasecmp(head.data() + at, name.data(), name.size()) == 0) {
            auto value =
                head.substr(at + name.size() + 1, head.find("\r\n", at) - at - name.size() - 1);
            value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
            return value;
        }
    }
    return {};
}

std::size_t number(std::string_view text, int base) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end == text.data())
        throw std::runtime_error{"the reply holds no number: " + std::string{text}};
    return value;
}

}  // namespace

void reply_scanner::read_head() {
    if (!line_.starts_with("HTTP/1.1 "))
        throw std::runtime_error{"not a reply: " + line_.substr(0, 60)};
    status_ = static_cast<int>(number(std::string_view{line_}.substr(9, 3), 10));
    if (header(line_, "Transfer-Encoding") == "chunked") {
        state_ = state::chunk_size;
    } else {
        const auto length = header(line_, "Content-Length");
        const bool endless =
            length.empty() && header(line_, "Content-Type").starts_with("text/event-stream");
        left_ = endless ? SIZE_MAX : length.empty() ? 0 : number(length, 10);
        state_ = left_ == 0 ? state::done : state::body;
    }
    line_.clear();
}

/// Adds up to the end of the line to `line_`; the line is complete when it ends in '\n'.
std::size_t reply_scanner::take_line(std::string_view bytes) {
    const auto end = bytes.find('\n');
    const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
    line_.append(bytes.substr(0, taken));
    return taken;
}

std::size_t reply_scanner::take(std::string_view bytes, const body_sink& sink) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != state::done) {
        const std::string_view rest = bytes.substr(at);
        switch (state_) {
            case state::head: {
                at += take_line(rest);
                if (line_.ends_with("\r\n\r\n")) read_head();
                if (line_.size() > head_bytes_max) throw std::runtime_error{"a head without end"};
                break;
            }
            case state::body:
            case state::chunk_body: {
                const std::size_t part = std::min(left_, rest.size());
                if (sink) sink(rest.substr(0, part));
                at += part;
                left_ -= part;
                if (left_ == 0) state_ = state_ == state::body ? state::done : state::chunk_end;
                break;
            }
            case state::chunk_size: {
                at += take_line(rest);
                if (!line_.ends_with('\n')) break;
                left_ = number(line_, 16);
                line_.clear();
                state_ = left_ == 0 ? state::trailer : state::chunk_body;
                break;
            }
            case state::chunk_end:
            case state::trailer: {
                at += take_line(rest);
                if (!line_.ends_with('\n')) break;
                if (state_ == state::chunk_end)
                    state_ = state::chunk_size;
                else if (line_ == "\r\n")
                    state_ = state::done;
                line_.clear();
                break;
            }
            case state::done:
                break;
        }
    }
    return at;
}

connection::connection(std::uint16_t port, std::size_t index)
    : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, index_{index} {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        throw std::system_error{errno, std::generic_category(), "connect"};
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

connection::~connection() {
    if (fd_ >= 0) ::close(fd_);
}

bool connection::flush() {
    while (sent_ < out.size()) {
        const ssize_t n = ::send(fd_, out.data() + sent_, out.size() - sent_, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) return false;
            throw std::system_error{errno, std::generic_category(), "send"};
        }
        sent_ += static_cast<std::size_t>(n);
    }
    out.clear();
    sent_ = 0;
    return true;
}

void connection::receive(const reply_scanner::body_sink& sink,
                         const std::function<void(int)>& reply) {
    static thread_local std::array<char, 256U << 10> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) throw std::runtime_error{"the server closed a connection"};
    std::string_view bytes{buffer.data(), static_cast<std::size_t>(n)};
    while (!bytes.empty()) {
        bytes.remove_prefix(scanner_.take(bytes, sink));
        if (scanner_.done()) {
            const int status = scanner_.status();
            scanner_.next();
            reply(status);
        }
    }
}

}  // namespace flexcore::bench
