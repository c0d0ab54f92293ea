#include "server_house.hpp"

#include "base/check.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/json/parse.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace flexcore::tests {
namespace {

store::opened_store open_memory(telemetry::metrics& metrics, telemetry::health_registry& health) {
    store::store_settings settings;
    settings.url = "memory:";
    auto opened = store::open_store(settings, metrics, health);
    FLEXCORE_CHECK(opened.has_value());
    return std::move(*opened);
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

}  // namespace

gateway::http_settings server_house::quick() {
    gateway::http_settings out;
    out.port = 0;
    out.drain = std::chrono::milliseconds{0};
    out.stop_max = std::chrono::seconds{10};
    out.access_log = false;
    return out;
}

server_house::server_house(gateway::http_settings settings, std::size_t io_threads)
    : io{io_threads}, store{open_memory(metrics, health)} {
    io.start();
    events = std::make_unique<bus::event_bus>(bus::event_bus_settings{}, *store.log, metrics);
    projections = std::make_unique<domain::projection_runner>(
        domain::projection_settings{}, *store.log, *store.views, *events, changes, metrics, health);
    appends = std::make_unique<bus::append_bus>(*store.log, authorizer, *projections, keys, metrics,
                                                std::chrono::seconds{1});
    commands = std::make_unique<bus::command_bus>(bus::command_settings{}, authorizer, *projections,
                                                  keys, timers, metrics);
    queries = std::make_unique<bus::query_bus>(bus::query_settings{}, *store.views, *projections,
                                               changes, authorizer, workers, timers, metrics);
    aggregates = std::make_unique<domain::aggregate_runtime>(domain::aggregate_settings{},
                                                             *store.log, *events, workers, metrics);
    projections->start();
    plugins = std::make_unique<plugin::plugin_host>(
        plugin::plugin_settings{},
        plugin::plugin_host::wiring{*commands, *queries, *aggregates, *projections, changes,
                                    workers, timers, metrics, health});
    server = std::make_unique<gateway::http_server>(std::move(settings), services());
    const auto started = server->start();
    FLEXCORE_CHECK(started.has_value());
}

server_house::~server_house() {
    server->stop();
    plugins->stop();
    projections->stop();
    store.log->stop();
    store.views->stop();
    io.stop();
    workers.stop();
    timers.stop();
}

gateway::http_services server_house::services() {
    return {*store.log,   *store.views, *appends,   *commands, *queries, *events,
            *projections, *plugins,     authorizer, keys,      io,       workers,
            timers,       metrics,      health,     "1.2.3"};
}

double server_house::metric(std::string_view name) const {
    const std::string text = metrics.text();
    const std::size_t at = text.find("\n" + std::string{name} + " ");
    return at == text.npos ? 0 : std::stod(text.substr(at + name.size() + 2));
}

std::string answer::field(std::string_view name) const {
    for (const auto& [n, value] : fields)
        if (n == name) return value;
    return {};
}

boost::json::value answer::json() const { return boost::json::parse(body); }

std::string answer::code() const { return std::string{json().as_object().at("code").as_string()}; }

raw_client::raw_client(std::uint16_t port, int receive_buffer_bytes) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FLEXCORE_CHECK(fd_ >= 0);
    if (receive_buffer_bytes != 0)
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                     sizeof receive_buffer_bytes);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    FLEXCORE_CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
}

raw_client::~raw_client() {
    if (fd_ >= 0) ::close(fd_);
}

void raw_client::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;  // the server has closed; what it said is still to be read
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::size_t raw_client::send_some(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent <= 0 ? 0 : static_cast<std::size_t>(sent);
}

void raw_client::shut_down_sending() { ::shutdown(fd_, SHUT_WR); }

void raw_client::reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd_);
    fd_ = -1;
}

std::size_t raw_client::receive_bytes(std::size_t most) {
    if (in_.empty() && !read_more(most)) return 0;
    const std::size_t got = std::min(most, in_.size());
    in_.erase(0, got);
    return got;
}

std::string raw_client::receive_raw() {
    if (in_.empty() && !read_more()) return {};
    return std::exchange(in_, {});
}

bool raw_client::read_more(std::size_t most) {
    pollfd wait{fd_, POLLIN, 0};
    constexpr int patience_ms = static_cast<int>(std::chrono::milliseconds{patience}.count());
    if (::poll(&wait, 1, patience_ms) <= 0) return false;
    char bytes[65536];
    const ssize_t got = ::recv(fd_, bytes, std::min(most, sizeof bytes), 0);
    if (got <= 0) return false;
    in_.append(bytes, static_cast<std::size_t>(got));
    return true;
}

answer raw_client::receive_head() {
    answer out;
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == in_.npos)
        if (!read_more()) return out;
    const std::string head = in_.substr(0, end + 2);
    in_.erase(0, end + 4);
    out.status = std::stoi(head.substr(9, 3));
    for (std::size_t begin = head.find("\r\n") + 2; begin < head.size();) {
        const std::size_t line_end = head.find("\r\n", begin);
        const std::string line = head.substr(begin, line_end - begin);
        const std::size_t colon = line.find(": ");
        out.fields.emplace_back(lower(line.substr(0, colon)), line.substr(colon + 2));
        begin = line_end + 2;
    }
    return out;
}

bool raw_client::read_chunk(std::string& into) {
    std::size_t line = 0;
    while ((line = in_.find("\r\n")) == in_.npos)
        if (!read_more()) return false;
    std::size_t size = 0;
    std::from_chars(in_.data(), in_.data() + line, size, 16);
    while (in_.size() < line + 2 + size + 2)
        if (!read_more()) return false;
    into += in_.substr(line + 2, size);
    in_.erase(0, line + 2 + size + 2);
    last_chunk_ = size == 0;
    return size != 0;
}

answer raw_client::receive(bool head_only) {
    answer out = receive_head();
    if (out.status == 0) return out;
    if (head_only || out.status == 100 || out.status == 204 || out.status == 304) {
        out.complete = true;
        return out;
    }
    if (out.field("transfer-encoding") == "chunked") {
        last_chunk_ = false;
        while (read_chunk(out.body)) {
        }
        out.complete = last_chunk_;  // else the server has cut the answer
        return out;
    }
    const std::string length = out.field("content-length");
    if (length.empty()) {
        while (read_more()) {
        }
        out.body.swap(in_);
        out.complete = true;
        return out;
    }
    const std::size_t size = std::stoul(length);
    while (in_.size() < size)
        if (!read_more()) {
            out.body.swap(in_);
            return out;
        }
    out.body = in_.substr(0, size);
    in_.erase(0, size);
    out.complete = true;
    return out;
}

std::string raw_client::receive_until(const std::function<bool(const std::string&)>& enough) {
    std::string out;
    while (!enough(out))
        if (!read_chunk(out)) break;
    return out;
}

bool raw_client::closed() { return in_.empty() && !read_more() && in_.empty(); }

answer raw_client::request(std::string_view method, std::string_view target, std::string_view body,
                           std::string_view fields) {
    std::string text{method};
    text += ' ';
    text += target;
    text += " HTTP/1.1\r\nHost: test\r\n";
    text += fields;
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n";
    text += body;
    send(text);
    return receive(method == "HEAD");
}

answer raw_client::post(std::string_view target, std::string_view json, std::string_view fields) {
    std::string all{fields};
    all += "Content-Type: application/json\r\n";
    return request("POST", target, json, all);
}

bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + raw_client::patience;
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock{mutex};
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        never.wait_for(lock, std::chrono::milliseconds{2});
    }
    return true;
}

held_workers::held_workers(server_house& house) {
    for (int i = 0; i < 4; ++i) {
        house.workers.post([gate = gate_] { const std::lock_guard wait{*gate}; });
    }
    REQUIRE(eventually([&] { return house.workers.waiting() == 0; }));
}

held_workers::~held_workers() {
    if (held_.owns_lock()) held_.unlock();
}

void held_workers::let_go() { held_.unlock(); }

}  // namespace flexcore::tests
