#include "gateway/sse.hpp"

#include "gateway/event_json.hpp"
#include "gateway/follower.hpp"

namespace flexcore::gateway {
namespace {

constexpr std::size_t spare_bytes_max = 64u << 10;
constexpr monotonic::duration comment_every = std::chrono::seconds{15};
constexpr monotonic::duration id_every = std::chrono::seconds{1};

class event_session final : public follower {
public:
    event_session(std::shared_ptr<api> on, std::unique_ptr<bus::subscriber> from,
                  std::shared_ptr<io_home> home)
        : follower{std::move(on), std::move(from), std::move(home)}, told_{seen()} {}

    void start(stream_port& to) {
        attach(to);
        response head;
        head.content_type = event_stream_type;
        head.headers.push_back({"Cache-Control", "no-store"});
        to.begin(std::move(head));
        next_comment_ = last_sent_ = monotonic::now();
        next_comment_ += comment_every;
        set_clock();
        advance();
    }

    void on_stopping() override {
        if (port() == nullptr) return;
        stream_port* to = port();
        detach();
        to->finish();
    }

private:
    [[nodiscard]] std::size_t room() override { return turn(events_per_turn); }

    void give(const bus::subscriber::taken& taken) override {
        text_.clear();
        if (taken.batch)
            for (const store::recorded_event& event : taken.batch->events) {
                text_ += "id: ";
                text_ += std::to_string(event.pos);
                text_ += "\nevent: ";
                text_ += event.type;
                text_ += "\ndata: ";
                json_.clear();
                append_event(json_, event);
                append_as_one_line(text_, json_);
                text_ += "\n\n";
                told_ = event.pos;
            }
        if (taken.at_head && !caught_up_) {
            caught_up_ = true;
            told_ = taken.seen_to;
            const std::string position = std::to_string(told_);
            text_ +=
                "id: " + position + "\nevent: caught_up\ndata: {\"position\":" + position + "}\n\n";
        }
        send();
        if (monotonic::now() - last_sent_ >= id_every) tell_id();
        if (taken.at_head && seen() > told_) set_clock();
    }

    void give_up() override {
        stream_port* to = port();
        detach();
        to->abort();
    }

    void send() {
        if (text_.empty()) return;
        last_sent_ = monotonic::now();
        port()->write(text_);
        // One large event would otherwise stay as room in every follower that was given it.
        for (std::string* one : {&text_, &json_})
            if (one->capacity() > spare_bytes_max) std::string{}.swap(*one);
    }

    /// A block with an id alone moves the client's last id and wakes nobody.
    void tell_id() {
        if (seen() <= told_) return;
        told_ = seen();
        text_ = "id: " + std::to_string(told_) + "\n\n";
        send();
    }

    void tick() override {
        const auto now = home().timers().now();
        if (!reading() && now - last_sent_ >= id_every) tell_id();
        if (now >= next_comment_) {
            next_comment_ = now + comment_every;
            text_ = ": keep-alive\n\n";
            send();
        }
        set_clock();
    }

    void set_clock() {
        deadline when = next_comment_;
        if (!reading() && seen() > told_) when = std::min(when, last_sent_ + id_every);
        wake_at(when);
    }

    std::string text_, json_;
    store::position told_ = 0;  ///< the last id the client was given
    deadline next_comment_{};
    monotonic::time_point last_sent_{};
    bool caught_up_ = false;
};

}  // namespace

void serve_events(const std::shared_ptr<api>& on, responder answer, store::log_filter what,
                  store::position after) {
    auto from = on->services.events.subscribe(std::move(what), after);
    if (!from) {
        answer(from.error());
        return;
    }
    auto session = std::make_shared<event_session>(on, std::move(*from), answer.shared_home());
    stream_port& port = answer.stream(session);
    session->start(port);
}

}  // namespace flexcore::gateway
