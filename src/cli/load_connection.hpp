// One HTTP connection of the load generator: bytes out, replies scanned as they come.
//
// The scanner knows just enough: status, Content-Length, chunked, event streams. Bodies go to a
// function piece by piece and are not kept.
// Errors:  cli_errc::unreachable, cli_errc::broken (the server closed), cli_errc::bad_answer.
// Threads: one.
#pragma once

#include "base/result.hpp"
#include "cli/url.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flexcore::cli {

class reply_scanner {
public:
    using body_sink = std::function<void(std::string_view)>;

    /// Takes bytes until a reply is complete or there are no more; says how many. See `done`.
    [[nodiscard]] result<std::size_t> take(std::string_view bytes, const body_sink& sink);
    /// A reply is complete: read `status`, then `next`.
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }
    /// Of the reply that comes in; in the body's function too.
    [[nodiscard]] int status() const noexcept { return status_; }
    void next() noexcept { state_ = state::head; }

private:
    enum class state : std::uint8_t {
        head,
        body,
        chunk_size,
        chunk_body,
        chunk_end,
        trailer,
        done
    };
    result<void> read_head();
    result<void> read_line();
    std::size_t take_line(std::string_view bytes);

    state state_ = state::head;
    std::string line_;  // head or chunk size, when it comes in pieces
    int status_ = 0;
    std::size_t left_ = 0;
};

/// Where to connect to, looked up once.
struct load_address {
    sockaddr_storage address{};
    socklen_t bytes = 0;
};
[[nodiscard]] result<load_address> resolve(const url&);

class load_connection {
public:
    [[nodiscard]] static result<std::unique_ptr<load_connection>> open(const load_address&,
                                                                       std::size_t index);
    ~load_connection();
    load_connection(const load_connection&) = delete;
    load_connection& operator=(const load_connection&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] std::size_t index() const noexcept { return index_; }
    [[nodiscard]] int status() const noexcept { return scanner_.status(); }
    /// What is to be sent; append, then `flush`.
    std::string out;
    /// Sends what the kernel takes. True when all is sent.
    [[nodiscard]] result<bool> flush();
    /// Reads what there is; calls `reply` for each complete one (the sink gets the bodies).
    [[nodiscard]] result<void> receive(const reply_scanner::body_sink& sink,
                                       const std::function<void(int status)>& reply);

    std::uint64_t sent_ns = 0;  ///< of the request under way, 0 when there is none

private:
    load_connection(int fd, std::size_t index) : fd_{fd}, index_{index} {}
    int fd_ = -1;
    std::size_t index_;
    std::size_t sent_ = 0;
    reply_scanner scanner_;
};

}  // namespace flexcore::cli
