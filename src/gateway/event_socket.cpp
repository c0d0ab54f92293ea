#include "gateway/event_socket.hpp"

#include "gateway/body_reader.hpp"
#include "gateway/event_json.hpp"
#include "gateway/follower.hpp"
#include "gateway/socket_frames.hpp"
#include "gateway/socket_handshake.hpp"

#include <algorithm>
#include <expected>
#include <utility>

namespace flexcore::gateway {
namespace {

constexpr std::size_t unsent_bytes_max = 256u << 10;
constexpr std::size_t spare_bytes_max = 64u << 10;
/// What has been given to the kernel may still be on its way, and a ping behind it: a client is
/// believed to be at it at this rate, up to what sockets hold.
constexpr std::size_t given_bytes_max = 16u << 20;
constexpr std::size_t bytes_per_millisecond = 16;
/// {"credit": 1} has one level.
constexpr std::size_t message_depth_max = 4;

/// The credit a message gives; a text for the client when it gives none.
std::expected<std::uint64_t, std::string> read_credit(std::string_view text) {
    const auto root = json::parse(text, message_depth_max);
    if (!root) return std::unexpected{root.error().client};
    findings found{"The message is not"};
    object_reader from{*root, "", found};
    std::uint64_t credit = 0;
    if (const auto value = from.require("credit")) {
        const auto number =
            value->type() == json::kind::number ? value->unsigned_integer() : std::nullopt;
        if (number && *number >= 1 && *number <= credit_max)
            credit = *number;
        else
            from.bad("credit", "must be a whole number from 1 to " + std::to_string(credit_max));
    }
    from.finish();
    if (found.any()) return std::unexpected{found.to_error().client};
    return credit;
}

class socket_session final : public follower {
public:
    socket_session(std::shared_ptr<api> on, std::unique_ptr<bus::subscriber> from,
                   std::shared_ptr<io_home> home, monotonic::duration silence_max)
        : follower{std::move(on), std::move(from), std::move(home)}, silence_max_{silence_max} {}

    void start(stream_port& to, response head) {
        attach(to);
        to.begin(std::move(head));
        heard();
    }

    void on_body(std::string_view bytes) override {
        if (port() == nullptr) return;
        heard();
        const std::uint64_t before = credit_;
        while (port() != nullptr && !bytes.empty()) {
            const auto what = frames_.next(bytes);
            if (what == socket_reader::reading::more) break;
            if (what == socket_reader::reading::broken) {
                end(frames_.fault().code, frames_.fault().reason);
                return;
            }
            take(frames_.message());
        }
        if (port() == nullptr) return;
        if (credit_ != before) advance();
        // Answers to pings that nobody reads are bounded by not reading the pings.
        if (port() != nullptr && port()->full(unsent_bytes_max)) stalled_ = true;
    }
    [[nodiscard]] bool wants_body() const override { return !stalled_; }

    void on_writable() override {
        if (port() == nullptr) return;
        if (stalled_) {
            stalled_ = false;
            port()->body_wanted();
        }
        heard();
        advance();
    }

    void on_stopping() override { end(socket_close::going_away, "the server stops"); }

private:
    [[nodiscard]] std::size_t room() override {
        if (credit_ == 0) return 0;
        return turn(static_cast<std::size_t>(std::min<std::uint64_t>(credit_, events_per_turn)));
    }

    void give(const bus::subscriber::taken& taken) override {
        if (!taken.batch || taken.batch->events.empty()) return;
        text_.clear();
        for (const store::recorded_event& event : taken.batch->events) {
            json_.clear();
            append_event(json_, event);
            append_socket_frame(text_, socket_opcode::text, json_);
            --credit_;
        }
        send();
    }

    void give_up() override { end(socket_close::internal_error, "the log cannot be read"); }

    void take(socket_message& message) {
        switch (message.kind) {
            case socket_opcode::text:
                take_text(message.payload);
                break;
            case socket_opcode::ping:
                append_socket_frame(text_, socket_opcode::pong, message.payload);
                send();
                break;
            case socket_opcode::close:
                // The same code back, as the protocol asks.
                end(message.close_code == static_cast<std::uint16_t>(socket_close::no_status)
                        ? socket_close::normal
                        : static_cast<socket_close>(message.close_code),
                    {});
                break;
            case socket_opcode::binary:
                end(socket_close::unsupported_data, "messages are texts");
                break;
            case socket_opcode::pong:
                // All that was given before the ping has been taken.
                given_ -= std::exchange(given_at_ping_, 0);
                break;
            case socket_opcode::continuation:
                break;
        }
    }

    void take_text(std::string_view text) {
        const auto more = read_credit(text);
        if (!more)
            end(socket_close::policy_violation, more.error());
        else if (*more > credit_max - credit_)
            end(socket_close::policy_violation,
                "more credit than " + std::to_string(credit_max) + " in all");
        else
            credit_ += *more;
    }

    /// Says why and ends; the connection then waits a while for the client's side to close.
    void end(socket_close code, std::string_view reason) {
        if (port() == nullptr) return;
        append_socket_close(text_, code, reason);
        send();
        stream_port* to = port();
        detach();
        to->finish();
    }

    void send() {
        given_ = std::min(given_ + text_.size(), given_bytes_max);
        port()->write(text_);
        text_.clear();
        for (std::string* one : {&text_, &json_})
            if (one->capacity() > spare_bytes_max) std::string{}.swap(*one);
    }

    void heard() {
        heard_at_ = monotonic::now();
        pinged_ = false;
        wake_at(heard_at_ + silence_max_ / 2);
    }

    void tick() override {
        // What the client says is not read, or the ping lies behind what it has not taken: whether
        // it is too slow, the write timeout knows.
        if (stalled_ || port()->unsent() != 0) return heard();
        const auto now = home().timers().now();
        const auto silence_max =
            silence_max_ + std::chrono::milliseconds{given_ / bytes_per_millisecond};
        if (now - heard_at_ >= silence_max)
            return end(socket_close::policy_violation, "nothing was heard, not even a pong");
        if (!pinged_ && now - heard_at_ >= silence_max_ / 2) {
            pinged_ = true;
            if (given_at_ping_ == 0) given_at_ping_ = given_;
            append_socket_frame(text_, socket_opcode::ping, {});
            send();
        }
        wake_at(heard_at_ + (pinged_ ? silence_max : silence_max_ / 2));
    }

    const monotonic::duration silence_max_;
    socket_reader frames_{socket_message_bytes_max};
    std::uint64_t credit_ = 0;
    std::string text_, json_;
    monotonic::time_point heard_at_{};
    std::size_t given_ = 0;  ///< written, and not known to have been read by the client
    std::size_t given_at_ping_ = 0;
    bool pinged_ = false;
    bool stalled_ = false;  ///< reading has stopped until what is unsent has left
};

}  // namespace

void serve_event_socket(const std::shared_ptr<api>& on, responder answer, store::log_filter what,
                        store::position after) {
    auto head = open_socket(answer.asked());
    if (!head) {
        answer(refused_socket(head.error(), answer.asked()));
        return;
    }
    auto from = on->services.events.subscribe(std::move(what), after);
    if (!from) {
        answer(from.error());
        return;
    }
    auto session = std::make_shared<socket_session>(on, std::move(*from), answer.shared_home(),
                                                    on->settings.socket_idle_timeout);
    stream_port& port = answer.stream(session);
    session->start(port, std::move(*head));
}

}  // namespace flexcore::gateway
