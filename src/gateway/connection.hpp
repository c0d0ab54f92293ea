// connection: one TCP connection of a client, from accept to close.
//
// Shape:   a state machine of callbacks on one socket: one read buffer, one output queue, a line of
//          exchanges. Requests are taken up to `pipeline_max` at once; answers leave in the order
//          of their requests. What a visit of the thread produces is written together at its end.
// Bounds:  head, body, requests at work, unsent bytes: at a bound reading stops, and through TCP
//          the client. Time: see `deadline_now`.
// Ends:    having said its last the connection shuts its side down and reads away for a while what
//          the client is still sending: an immediate close would reset the connection, and the
//          client might never see the answer.
// Threads: its io thread.
#pragma once

#include "gateway/exchange.hpp"
#include "gateway/head_check.hpp"
#include "gateway/output_queue.hpp"
#include "gateway/request_parser.hpp"
#include "gateway/timer_wheel.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

namespace flexcore::gateway {

class shard;

/// What is still on its way when a connection has said its last is given this long, and as much
/// again while the client goes on taking it.
inline constexpr monotonic::duration linger_step = std::chrono::seconds{1};

class connection final : public std::enable_shared_from_this<connection>,
                         public exchange_owner,
                         private body_taker,
                         private timer_wheel::entry {
public:
    connection(std::shared_ptr<shard>, boost::asio::ip::tcp::socket);
    ~connection() override;

    void start();
    /// The server stops: finish what runs, take nothing new.
    void stop_soon();
    /// At once.
    void close();
    /// The end of a visit: goes on with what waits, sends, sets the timer.
    void settle();

    // The shard's notes.
    std::list<std::shared_ptr<connection>>::iterator place;
    bool dirty = false;

    // exchange_owner
    void answered(exchange&) override;
    void stream_moved(exchange&) override;
    void body_wanted(exchange&) override;
    void abort_stream(exchange&) override;
    [[nodiscard]] std::size_t unsent(const exchange&) const noexcept override;

private:
    enum class phase : std::uint8_t {
        head,    ///< between requests or inside a head
        body,    ///< inside a body
        tunnel,  ///< what comes belongs to the session that took the connection over (101)
        ended,   ///< nothing more is taken; answers are on their way
        linger,  ///< all is sent; what still comes is read away
        closed,
    };
    /// What becomes of the body at hand.
    enum class body_use : std::uint8_t { collect, discard, stream };

    // connection_in.cpp
    void read_more();
    /// How much the next read may bring.
    [[nodiscard]] std::size_t read_bytes() const noexcept;
    void read_done(boost::system::error_code, std::size_t);
    /// False: all that can be used has been; true: it stopped for want of room.
    bool take_input();
    [[nodiscard]] bool may_take_request() const noexcept;
    [[nodiscard]] bool take_head();
    void begin_request(std::string_view head);
    [[nodiscard]] bool take_tunnel_bytes();
    void dispatch(const std::shared_ptr<exchange>&);
    void refuse(const error&);
    void answer_and_end(exchange&, response);
    /// The client has shut its side down; true when there is something to send because of it.
    [[nodiscard]] bool input_ended();
    [[nodiscard]] std::string_view input() const noexcept {
        return {in_.get() + in_begin_, in_end_ - in_begin_};
    }

    // connection_body.cpp
    void begin_body(const std::shared_ptr<exchange>&, std::optional<response> refused);
    [[nodiscard]] bool take_body_bytes();
    bool take_body(std::string_view) override;
    bool begin_chunk(std::uint64_t bytes) override;
    /// False: there is no room for it, see body_fault_.
    [[nodiscard]] bool give_body(exchange&, std::string_view);
    void end_body();
    void body_broken(error);

    // connection_out.cpp
    void send_ready();
    /// Tells the server what this connection holds.
    void count_held() noexcept;
    void send_answer(exchange&);
    void send_stream(exchange&);
    void pop_front(int status);
    void end_after_output();
    void flush();
    void written(boost::system::error_code);
    void progress_of_output();
    void begin_linger();
    void mark_output() noexcept;
    /// What the client's side has acknowledged.
    [[nodiscard]] std::uint64_t bytes_taken() noexcept;
    [[nodiscard]] bool client_takes(monotonic::duration since) noexcept;
    /// Whether it holds a good part of all there is when all of it is held.
    [[nodiscard]] bool hogs() const noexcept;
    /// A large answer, while too much is held beside it.
    [[nodiscard]] bool is_too_much(const response&) const noexcept;
    /// Not even a small answer, by what all hold and what this one does.
    [[nodiscard]] bool may_have_no_more() const noexcept;
    /// What every byte of a client may take on the whole.
    [[nodiscard]] monotonic::duration time_for(std::uint64_t bytes) const noexcept;

    // connection.cpp
    /// Puts the answer into the coding its client takes; a large one on a worker, and then it comes
    /// back as answered once more.
    void compress(exchange&);
    void expired() override;
    [[nodiscard]] deadline deadline_now() const noexcept;
    [[nodiscard]] deadline output_deadline() const noexcept;
    [[nodiscard]] bool takes_bulk_body() const noexcept;
    [[nodiscard]] bool idle() const noexcept;

    const std::shared_ptr<shard> home_;
    boost::asio::ip::tcp::socket socket_;
    phase phase_ = phase::head;

    /// What is kept for input while nothing large comes; not worth counting.
    static constexpr std::size_t input_bytes_small = 4096;

    // Input: in_[in_begin_, in_end_) is received and not yet used.
    std::unique_ptr<char[]> in_;
    std::size_t in_size_ = 0, in_begin_ = 0, in_end_ = 0;
    bool reading_ = false;     ///< a read is under way
    bool input_over_ = false;  ///< the client has shut its side down
    head_scanner scanner_;
    std::optional<request_parser> parser_;
    std::shared_ptr<exchange> current_;  ///< whose body is being read
    body_use body_use_ = body_use::collect;
    std::optional<response> refused_;  ///< the answer once the discarded body is over
    std::optional<error> body_fault_;  ///< why the body at hand cannot be taken
    std::uint64_t body_bytes_ = 0;

    std::deque<std::shared_ptr<exchange>> line_;  ///< requests in order, the oldest in front

    // Output.
    output_queue out_;
    std::size_t held_ = 0;       ///< as last told
    bool writing_ = false;       ///< the socket is waited for
    bool output_stuck_ = false;  ///< the client is behind: the kernel took not all
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t bytes_taken_marked_ = 0;  ///< what the client had received at output_marked_
    bool close_after_output_ = false;
    bool unread_input_ = false;  ///< closing needs care: the client may still be sending

    // Time.
    monotonic::time_point now_;  ///< of this visit
    monotonic::time_point head_began_, body_began_, last_input_, output_marked_;
    monotonic::time_point last_request_;
    monotonic::time_point value_began_;  ///< what a bulk body's session has not whole yet
    bool head_begun_ = false;
    deadline stop_by_ = no_deadline;  ///< when the server stops and nothing comes
    deadline linger_until_ = no_deadline;
};

}  // namespace flexcore::gateway
