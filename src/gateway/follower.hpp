// follower: an answer that follows the log, for as long as its client stays: what SSE and the
// WebSocket have in common.
//
// Order:   nothing skipped, nothing twice. A follower that is behind reads the log on a worker, one
//          that is not takes from memory on its io thread.
// Bounds:  at most what `room` allows is taken at a time; at zero nothing is, until `advance`.
// While
//          the server holds too much for its clients that is one event for who has taken the last.
// Threads: the io thread. While a worker has the subscriber, `reading()` holds and nobody else
//          touches it.
#pragma once

#include "gateway/api.hpp"

#include <memory>

namespace flexcore::gateway {

class follower : public stream_session, public std::enable_shared_from_this<follower> {
public:
    follower(std::shared_ptr<api>, std::unique_ptr<bus::subscriber>, std::shared_ptr<io_home>);

    void on_writable() override { advance(); }
    void on_closed() override { detach(); }
    /// The client ends it by closing its side.
    [[nodiscard]] bool ends_with_input() const override { return true; }

protected:
    static constexpr std::size_t events_per_turn = 256;

    /// As `room`, for who would take `most`: none when the client is behind.
    [[nodiscard]] std::size_t turn(std::size_t most) const noexcept;
    /// How many events may be taken now.
    [[nodiscard]] virtual std::size_t room() = 0;
    /// Sends them; `taken.at_head` says that nothing more is there right now.
    virtual void give(const bus::subscriber::taken&) = 0;
    /// The log cannot be read. The port is there; afterwards it is not.
    virtual void give_up() = 0;
    virtual void tick() = 0;

    void attach(stream_port& port) noexcept { port_ = &port; }
    /// Goes on as far as `room` and the log allow.
    void advance();
    /// Lets go of port, clock and log.
    void detach();
    void wake_at(deadline when) noexcept { home_->timers().set(clock_, when); }
    [[nodiscard]] stream_port* port() const noexcept { return port_; }
    [[nodiscard]] io_home& home() const noexcept { return *home_; }
    [[nodiscard]] bool reading() const noexcept { return reading_; }
    /// Everything up to here has been looked at. Not while reading().
    [[nodiscard]] store::position seen() const noexcept { return from_->seen(); }

private:
    struct clock final : timer_wheel::entry {
        explicit clock(follower& f) : of{f} {}
        void expired() override {
            if (of.port_ != nullptr) of.tick();
        }
        follower& of;
    };

    void read_on_worker(std::size_t limit);
    [[nodiscard]] bool deliver(result<bus::subscriber::taken>);

    const std::shared_ptr<api> on_;
    const std::unique_ptr<bus::subscriber> from_;
    const std::shared_ptr<io_home> home_;
    stream_port* port_ = nullptr;
    clock clock_;
    bool reading_ = false;
};

}  // namespace flexcore::gateway
