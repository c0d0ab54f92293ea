#include "scripted_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace flexcore::test {

std::string scripted_connection::request() {
    for (;;) {
        if (const std::size_t head = in_.find("\r\n\r\n"); head != std::string::npos) {
            std::size_t body = 0;
            if (const std::size_t at = in_.find("Content-Length: "); at < head)
                body = std::stoul(in_.substr(at + 16));
            if (const std::size_t size = head + 4 + body; in_.size() >= size) {
                std::string whole = in_.substr(0, size);
                in_.erase(0, size);
                return whole;
            }
        }
        char part[4096];
        const ssize_t n = ::recv(descriptor_, part, sizeof part, 0);
        if (n <= 0) return {};
        in_.append(part, static_cast<std::size_t>(n));
    }
}

void scripted_connection::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void scripted_connection::shut() const { ::shutdown(descriptor_, SHUT_RDWR); }

void scripted_connection::wait_closed() {
    while (!request().empty()) {
    }
}

struct scripted_server::state {
    int listening = -1;
    std::uint16_t port = 0;
    script run;
    std::mutex mutex;
    std::list<int> open;
    std::list<std::thread> threads;
    std::thread acceptor;

    void accept_all() {
        for (int number = 0;; ++number) {
            const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            const std::lock_guard lock{mutex};
            open.push_back(fd);
            threads.emplace_back([this, fd, number] {
                scripted_connection connection{fd};
                run(connection, number);
                const std::lock_guard closing{mutex};
                ::close(fd);
                open.remove(fd);
            });
        }
    }
};

scripted_server::scripted_server(script run) : state_{std::make_unique<state>()} {
    state_->run = std::move(run);
    state_->listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(state_->listening, plain, size) != 0 || ::listen(state_->listening, 16) != 0 ||
        ::getsockname(state_->listening, plain, &size) != 0)
        throw std::runtime_error{"no port for the scripted server"};
    state_->port = ntohs(address.sin_port);
    state_->acceptor = std::thread{[s = state_.get()] { s->accept_all(); }};
}

scripted_server::~scripted_server() {
    ::shutdown(state_->listening, SHUT_RDWR);
    state_->acceptor.join();
    ::close(state_->listening);
    {
        const std::lock_guard lock{state_->mutex};
        for (const int fd : state_->open) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : state_->threads) thread.join();
}

std::uint16_t scripted_server::port() const noexcept { return state_->port; }

std::string answer_text(std::string_view body, int status, std::string_view type) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + std::string{type} +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

}  // namespace flexcore::test
