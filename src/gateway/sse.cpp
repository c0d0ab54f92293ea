#include "gateway/sse.hpp"

#include "gateway/event_json.hpp"
#include "telemetry/log.hpp"

namespace flexcore::gateway {
namespace {

constexpr std::size_t unsent_bytes_max = 256u << 10;
constexpr std::size_t events_per_turn = 256;
constexpr std::size_t spare_bytes_max = 64u << 10;
constexpr int turns_per_visit = 8;
constexpr monotonic::duration comment_every = std::chrono::seconds{15};
constexpr monotonic::duration id_every = std::chrono::seconds{1};

class event_session final : public stream_session,
                            public std::enable_shared_from_this<event_session> {
public:
    event_session(std::shared_ptr<api> on, std::unique_ptr<bus::subscriber> from,
                  std::shared_ptr<io_home> home)
        : on_{std::move(on)}, from_{std::move(from)}, home_{std::move(home)}, clock_{*this} {
        told_ = from_->seen();
    }

    void start(stream_port& port) {
        port_ = &port;
        response head;
        head.content_type = event_stream_type;
        head.headers.push_back({"Cache-Control", "no-store"});
        port_->begin(std::move(head));
        next_comment_ = last_sent_ = monotonic::now();
        next_comment_ += comment_every;
        set_clock();
        advance();
    }

    void on_writable() override { advance(); }
    void on_stopping() override {
        if (port_ == nullptr) return;
        stream_port* port = port_;
        detach();
        port->finish();
    }
    void on_closed() override { detach(); }
    [[nodiscard]] bool ends_with_input() const override { return true; }

private:
    struct clock final : timer_wheel::entry {
        explicit clock(event_session& s) : session{s} {}
        void expired() override { session.tick(); }
        event_session& session;
    };

    void detach() {
        port_ = nullptr;
        home_->timers().set(clock_, no_deadline);
        if (!reading_) from_->cancel_wait();
    }

    void advance() {
        if (reading_ || port_ == nullptr) return;
        for (int turn = 0; turn < turns_per_visit; ++turn) {
            if (port_->full(unsent_bytes_max)) return;
            auto live = from_->take_live(events_per_turn);
            if (!live) {
                read_on_worker();
                return;
            }
            if (!deliver(std::move(*live))) return;
        }
        // Others of this thread have their turn.
        home_->post([self = shared_from_this()] { self->advance(); });
    }

    void read_on_worker() {
        reading_ = true;
        on_->services.workers.post([self = shared_from_this()]() mutable {
            auto taken = self->from_->take(events_per_turn);
            io_home& home = *self->home_;
            home.post([self = std::move(self), taken = std::move(taken)]() mutable {
                self->reading_ = false;
                if (self->port_ != nullptr && self->deliver(std::move(taken))) self->advance();
            });
        });
    }

    /// False when there is nothing more right now.
    bool deliver(result<bus::subscriber::taken> taken) {
        if (!taken) {
            telemetry::log(telemetry::level::warn, "gateway", "event stream ended",
                           {{"detail", std::string_view{taken.error().client}},
                            {"cause", std::string_view{taken.error().log}}});
            stream_port* port = port_;
            detach();
            port->abort();
            return false;
        }
        text_.clear();
        if (taken->batch)
            for (const store::recorded_event& event : taken->batch->events) {
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
        if (taken->at_head && !caught_up_) {
            caught_up_ = true;
            told_ = taken->seen_to;
            const std::string position = std::to_string(told_);
            text_ +=
                "id: " + position + "\nevent: caught_up\ndata: {\"position\":" + position + "}\n\n";
        }
        send();
        if (!taken->at_head) {
            if (monotonic::now() - last_sent_ >= id_every) tell_id();
            return true;
        }
        if (from_->seen() > told_) {
            if (monotonic::now() - last_sent_ >= id_every) tell_id();
            set_clock();
        }
        from_->wait([self = weak_from_this(), home = home_] {
            home->post([self] {
                if (const auto session = self.lock()) session->advance();
            });
        });
        return false;
    }

    void send() {
        if (text_.empty()) return;
        last_sent_ = monotonic::now();
        port_->write(text_);
        // One large event would otherwise stay as room in every follower that was given it.
        for (std::string* one : {&text_, &json_})
            if (one->capacity() > spare_bytes_max) std::string{}.swap(*one);
    }

    /// A block with an id alone moves the client's last id and wakes nobody.
    void tell_id() {
        if (from_->seen() <= told_) return;
        told_ = from_->seen();
        text_ = "id: " + std::to_string(told_) + "\n\n";
        send();
    }

    void tick() {
        if (port_ == nullptr) return;
        const auto now = home_->timers().now();
        if (!reading_ && now - last_sent_ >= id_every) tell_id();
        if (now >= next_comment_) {
            next_comment_ = now + comment_every;
            text_ = ": keep-alive\n\n";
            send();
        }
        set_clock();
    }

    void set_clock() {
        deadline when = next_comment_;
        if (!reading_ && from_->seen() > told_) when = std::min(when, last_sent_ + id_every);
        home_->timers().set(clock_, when);
    }

    const std::shared_ptr<api> on_;
    const std::unique_ptr<bus::subscriber> from_;
    const std::shared_ptr<io_home> home_;
    stream_port* port_ = nullptr;
    clock clock_;
    std::string text_, json_;
    store::position told_ = 0;  ///< the last id the client was given
    deadline next_comment_{};
    monotonic::time_point last_sent_{};
    bool caught_up_ = false;
    bool reading_ = false;  ///< a worker has the subscriber
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
