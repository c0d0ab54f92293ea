// exchange: one request and what is to become of it; responder: the handler's side of it;
// stream_port and stream_session: answers and bodies that flow.
//
// Threads:  an exchange lives on the io thread of its connection. Only `responder` crosses threads:
//           it may be called anywhere, and answers given on another thread are gathered so that
//           many of them cost the io thread one wake-up.
// Lifetime: a responder keeps its exchange alive, not the connection; an answer for a connection
//           that has gone is dropped. A responder destroyed without an answer answers 500: that is
//           a defect, and the client is told at once instead of waiting for ever.
#pragma once

#include "base/result.hpp"
#include "gateway/request.hpp"
#include "gateway/response.hpp"
#include "gateway/timer_wheel.hpp"
#include "runtime/executor.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore::gateway {

class exchange;

/// The io thread, without Asio. Implemented by the shard.
class io_home : public runtime::executor {
public:
    /// [any thread] Hands over an exchange whose `answer` has been set.
    virtual void post_answer(std::shared_ptr<exchange>) = 0;
    /// [any thread] Whether the caller is this io thread.
    [[nodiscard]] virtual bool here() const noexcept = 0;
    /// [io thread]
    [[nodiscard]] virtual timer_wheel& timers() noexcept = 0;
};

/// A route's part of an exchange that flows. Everything runs on the io thread.
class stream_session {
public:
    virtual ~stream_session() = default;
    /// A piece of the request's body, or of what the client sends after a 101. Only where the route
    /// reads it as it arrives.
    virtual void on_body(std::string_view) {}
    virtual void on_body_end() {}
    /// False: the connection stops reading until stream_port::body_wanted.
    [[nodiscard]] virtual bool wants_body() const { return true; }
    /// Bytes it keeps for its client, beside what it has written.
    [[nodiscard]] virtual std::size_t held() const { return 0; }
    /// Those of them that wait for the rest of what the client has begun to send.
    [[nodiscard]] virtual std::size_t unfinished() const { return 0; }
    /// Enough has been sent after stream_port::full had said yes.
    virtual void on_writable() {}
    /// The server stops: finish soon.
    virtual void on_stopping() {}
    /// The body broke HTTP framing or came too slowly: what is in work may be answered, then the
    /// connection is closed. No on_body_end follows.
    virtual void on_broken() {}
    /// Whether the client ends it by closing its side of the connection.
    [[nodiscard]] virtual bool ends_with_input() const { return false; }
    /// The exchange is over or the connection is gone; the port must not be used any more.
    virtual void on_closed() {}
};

/// The connection's side, for the session.
class stream_port {
public:
    virtual ~stream_port() = default;
    /// Sends status and fields; once, before `write`. Inside the handler a 101 turns the connection
    /// over to the session: on_body gets the client's bytes, `write` sends them as they are.
    virtual void begin(response head) = 0;
    virtual void write(std::string_view) = 0;
    [[nodiscard]] virtual std::size_t unsent() const noexcept = 0;
    /// Whether `most` unsent bytes are reached; if so, on_writable will come.
    [[nodiscard]] virtual bool full(std::size_t most) noexcept = 0;
    virtual void body_wanted() = 0;
    /// The answer is complete.
    virtual void finish() = 0;
    /// Ends the connection so that the client sees the answer is not complete; a problem document
    /// when nothing has been begun and the body was broken.
    virtual void abort() = 0;
};

/// The connection, as an exchange sees it. On the io thread.
class exchange_owner {
public:
    virtual ~exchange_owner() = default;
    virtual void answered(exchange&) = 0;
    virtual void stream_moved(exchange&) = 0;  ///< bytes were written, or the end
    virtual void body_wanted(exchange&) = 0;
    virtual void abort_stream(exchange&) = 0;
    [[nodiscard]] virtual std::size_t unsent(const exchange&) const noexcept = 0;
};

class exchange final : public std::enable_shared_from_this<exchange>, public stream_port {
public:
    exchange(std::shared_ptr<io_home>, exchange_owner*);

    // For the connection, on the io thread.
    request req;
    exchange_owner* owner = nullptr;  ///< null when the connection is gone
    std::optional<response> answer;   ///< set once
    bool ready = false;               ///< `answer` may be sent
    bool looked_at = false;           ///< `answer` has been compressed, or is not to be
    bool close = false;               ///< the last one of its connection
    bool head_only = false;
    bool continue_due = false;  ///< the client waits for 100 Continue
    std::shared_ptr<stream_session> session;
    std::optional<response> stream_head;  ///< begun, not yet put on the wire
    std::string stream_text;              ///< written, not yet put on the wire
    bool stream_started = false, stream_finished = false, stream_was_full = false;
    bool stream_cut = false;  ///< ends without its end mark
    bool stream_raw = false;  ///< its bytes go as they are: the connection is its own (101)
    std::uint64_t bytes_sent = 0;
    [[nodiscard]] bool streaming() const noexcept { return session != nullptr; }
    [[nodiscard]] const std::shared_ptr<io_home>& home() const noexcept { return home_; }
    void reuse(exchange_owner*);

    // stream_port
    void begin(response head) override;
    void write(std::string_view) override;
    [[nodiscard]] std::size_t unsent() const noexcept override;
    [[nodiscard]] bool full(std::size_t most) noexcept override;
    void body_wanted() override;
    void finish() override;
    void abort() override;

private:
    std::shared_ptr<io_home> home_;
};

class responder {
public:
    explicit responder(std::shared_ptr<exchange> to) noexcept : to_{std::move(to)} {}
    responder(responder&&) noexcept = default;
    responder& operator=(responder&&) = delete;
    ~responder();

    /// [any thread] Once.
    void operator()(response);
    /// [any thread] The problem document of the error.
    void operator()(const error&);
    /// [io thread] Turns the exchange into a flowing one; instead of an answer.
    stream_port& stream(std::shared_ptr<stream_session>);

    [[nodiscard]] const request& asked() const noexcept { return to_->req; }
    [[nodiscard]] io_home& home() const noexcept { return *to_->home(); }
    [[nodiscard]] std::shared_ptr<io_home> shared_home() const noexcept { return to_->home(); }

private:
    std::shared_ptr<exchange> to_;
};

}  // namespace flexcore::gateway
