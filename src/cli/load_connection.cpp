#include "cli/load_connection.hpp"

#include "cli/http_client.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>

namespace flexcore::cli {
namespace {

constexpr timeval connect_time{5, 0};
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

std::optional<std::size_t> number(std::string_view text, int base) {
    std::size_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (ec != std::errc{} || end == text.data()) return std::nullopt;
    return value;
}

std::unexpected<error> no_reply(std::string_view text) {
    return fail(cli_errc::bad_answer, fmt::format("not an HTTP reply: {}", text.substr(0, 60)));
}

std::unexpected<error> system_failure(cli_errc code, const char* what) {
    return fail(code, fmt::format("{}: {}", what, std::generic_category().message(errno)));
}

}  // namespace

result<void> reply_scanner::read_head() {
    const auto status = line_.starts_with("HTTP/1.1 ")
                            ? number(std::string_view{line_}.substr(9, 3), 10)
                            : std::nullopt;
    if (!status) return no_reply(line_);
    status_ = static_cast<int>(*status);
    if (header(line_, "Transfer-Encoding") == "chunked") {
        state_ = state::chunk_size;
    } else {
        const auto length = header(line_, "Content-Length");
        const bool endless =
            length.empty() && header(line_, "Content-Type").starts_with("text/event-stream");
        const auto bytes = length.empty() ? std::optional<std::size_t>{0} : number(length, 10);
        if (!bytes) return no_reply(length);
        left_ = endless ? SIZE_MAX : *bytes;
        state_ = left_ == 0 ? state::done : state::body;
    }
    line_.clear();
    return {};
}

/// Adds up to the end of the line to `line_`; the line is complete when it ends in '\n'.
std::size_t reply_scanner::take_line(std::string_view bytes) {
    const auto end = bytes.find('\n');
    const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
    line_.append(bytes.substr(0, taken));
    return taken;
}

/// A complete line of head or chunk framing.
result<void> reply_scanner::read_line() {
    if (state_ == state::head) {
        if (line_.ends_with("\r\n\r\n")) return read_head();
        if (line_.size() > head_bytes_max) return no_reply("a head without end");
        return {};
    }
    if (state_ == state::chunk_size) {
        const auto bytes = number(line_, 16);
        if (!bytes) return no_reply(line_);
        left_ = *bytes;
        state_ = left_ == 0 ? state::trailer : state::chunk_body;
    } else if (state_ == state::chunk_end) {
        state_ = state::chunk_size;
    } else if (line_ == "\r\n") {
        state_ = state::done;
    }
    line_.clear();
    return {};
}

result<std::size_t> reply_scanner::take(std::string_view bytes, const body_sink& sink) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != state::done) {
        const std::string_view rest = bytes.substr(at);
        if (state_ == state::body || state_ == state::chunk_body) {
            const std::size_t part = std::min(left_, rest.size());
            if (sink) sink(rest.substr(0, part));
            at += part;
            left_ -= part;
            if (left_ == 0) state_ = state_ == state::body ? state::done : state::chunk_end;
            continue;
        }
        at += take_line(rest);
        if (!line_.ends_with('\n')) continue;
        if (auto ok = read_line(); !ok) return fail(std::move(ok.error()));
    }
    return at;
}

result<load_address> resolve(const url& where) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int code = ::getaddrinfo(where.host.c_str(), where.port.c_str(), &wanted, &found);
        code != 0)
        return fail(cli_errc::unreachable,
                    fmt::format("cannot find {}: {}", where.host, ::gai_strerror(code)));
    load_address out;
    std::memcpy(&out.address, found->ai_addr, found->ai_addrlen);
    out.bytes = found->ai_addrlen;
    ::freeaddrinfo(found);
    return out;
}

result<std::unique_ptr<load_connection>> load_connection::open(const load_address& to,
                                                               std::size_t index) {
    const int fd = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_failure(cli_errc::unreachable, "no socket");
    std::unique_ptr<load_connection> made{
        new load_connection{fd, index}};  // its constructor is private
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &connect_time, sizeof connect_time);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.address), to.bytes) != 0)
        return system_failure(cli_errc::unreachable, "cannot connect");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return made;
}

load_connection::~load_connection() {
    if (fd_ >= 0) ::close(fd_);
}

result<bool> load_connection::flush() {
    while (sent_ < out.size()) {
        const ssize_t n = ::send(fd_, out.data() + sent_, out.size() - sent_, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) return false;
            return system_failure(cli_errc::broken, "the connection broke");
        }
        sent_ += static_cast<std::size_t>(n);
    }
    out.clear();
    sent_ = 0;
    return true;
}

result<void> load_connection::receive(const reply_scanner::body_sink& sink,
                                      const std::function<void(int)>& reply) {
    static thread_local std::array<char, 256U << 10> buffer;
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return system_failure(cli_errc::broken, "the connection broke");
    if (n == 0) return fail(cli_errc::broken, "the server closed a connection");
    std::string_view bytes{buffer.data(), static_cast<std::size_t>(n)};
    while (!bytes.empty()) {
        auto taken = scanner_.take(bytes, sink);
        if (!taken) return fail(std::move(taken.error()));
        bytes.remove_prefix(*taken);
        if (scanner_.done()) {
            const int status = scanner_.status();
            scanner_.next();
            reply(status);
        }
    }
    return {};
}

}  // namespace flexcore::cli
