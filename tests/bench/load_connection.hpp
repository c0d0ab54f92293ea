// One HTTP connection of the load generator: bytes out, replies scanned as they come.
//
// The scanner knows just enough: status, Content-Length, chunked. Bodies go to a function piece by
// piece and are not kept. Errors:  std::runtime_error when the server closes or speaks something
// else. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace flexcore::bench {

class reply_scanner {
public:
    using body_sink = std::function<void(std::string_view)>;

    /// Takes bytes until a reply is complete or there are no more; says how many. See `done`.
    std::size_t take(std::string_view bytes, const body_sink& sink);
    /// A reply is complete: read `status`, then `next`.
    [[nodiscard]] bool done() const { return state_ == state::done; }
    [[nodiscard]] int status() const { return status_; }
    void next() { state_ = state::head; }

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
    void read_head();
    std::size_t take_line(std::string_view bytes);

    state state_ = state::head;
    std::string line_;  // head or chunk size, when it comes in pieces
    int status_ = 0;
    std::size_t left_ = 0;
};

class connection {
public:
    connection(std::uint16_t port, std::size_t index);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] std::size_t index() const { return index_; }
    /// What is to be sent; append, then `flush`.
    std::string out;
    /// Sends what the kernel takes. True when all is sent.
    bool flush();
    /// Reads what there is; calls `reply` for each complete one (the sink gets the bodies).
    void receive(const reply_scanner::body_sink& sink,
                 const std::function<void(int status)>& reply);

    std::uint64_t sent_ns = 0;  ///< of the request under way, 0 when there is none

private:
    int fd_ = -1;
    std::size_t index_;
    std::size_t sent_ = 0;
    reply_scanner scanner_;
};

}  // namespace flexcore::bench
