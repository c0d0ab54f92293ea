#include "domain/aggregate_runtime_impl.hpp"
#include "domain/errc.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

// A turn is one append: bounded, so that it never stands in the log's way for long.
constexpr std::size_t turn_events_max = 1'000;
constexpr std::size_t turn_bytes_max = 1u << 20;

using rule = store::expected_version::rule;

bool meets(const store::expected_version& expected, store::version current) noexcept {
    switch (expected.what) {
        case rule::any:
            return true;
        case rule::none:
            return current == 0;
        case rule::exists:
            return current != 0;
        case rule::exact:
            return current == expected.exact;
    }
    return false;
}

error version_conflict(const lane& l) {
    const store::version current = l.current(l.ver);
    const std::string at =
        current == 0 ? "has no events" : "is at version " + std::to_string(current);
    return error{store::store_errc::version_conflict,
                 "stream " + l.stream + " " + at + ", which is not what the command expects"}
        .with("current_version", current);
}

/// The answer of a command whose decide failed, and whether the state may be used again.
struct failure {
    error answer;
    bool keep_state = false;
};

failure failure_of(error why, const lane& l) {
    using bus::bus_errc;
    if (why.code == bus_errc::busy || why.code == bus_errc::unavailable) {
        return {std::move(why), true};
    }
    // Beyond the deadline the behavior may still look at the state.
    if (why.code == bus_errc::deadline_exceeded) return {std::move(why), false};
    telemetry::log(telemetry::level::warn, "domain", "a command could not be decided",
                   {{"stream", std::string_view{l.stream}},
                    {"error", std::string_view{why.client}},
                    {"detail", std::string_view{why.log}}});
    return {error{bus_errc::handler_failed, "the command's handler failed",
                  why.client + (why.log.empty() ? "" : ": " + why.log)},
            false};
}

/// The behavior's way back. Dropped unused it fails the decide.
class decide_completion {
public:
    using taker = std::move_only_function<void(result<decision>)>;
    explicit decide_completion(taker take) : take_{std::move(take)} {}
    decide_completion(decide_completion&&) noexcept = default;
    decide_completion& operator=(decide_completion&&) = delete;
    ~decide_completion() {
        if (take_) {
            give(fail(domain_errc::behavior_failed, "the handler gave no answer",
                      "decide dropped its callback"));
        }
    }
    void operator()(result<decision> value) {
        if (take_) give(std::move(value));
    }

private:
    void give(result<decision> value) {
        auto take = std::exchange(take_, nullptr);
        take(std::move(value));
    }
    taker take_;
};

}  // namespace

void aggregate_runtime::state::start_turn(const std::shared_ptr<lane>& l) {
    turns.add();
    l->now = std::make_shared<turn>();
    l->now->texts->tenant = l->tenant;
    l->now->texts->stream = l->stream;
    advance(l);
}

void aggregate_runtime::state::advance(const std::shared_ptr<lane>& l) {
    for (;;) {
        turn& now = *l->now;
        if (now.closed || now.items.size() >= settings.lane_batch_max ||
            now.texts->events.size() >= turn_events_max || now.texts->bytes >= turn_bytes_max) {
            break;
        }
        auto next = next_of(*l);
        if (!next) break;
        if (next->alone && !now.items.empty()) {
            put_back(*l, {std::move(next)});
            break;
        }
        now.closed = next->alone;
        if (!consider(l, next)) return;
    }
    finish(l);
}

bool aggregate_runtime::state::consider(const std::shared_ptr<lane>& l,
                                        const std::shared_ptr<waiting_command>& who) {
    const auto& cmd = who->what.cmd;
    if (cmd.until <= monotonic::now()) {
        who->answer(fail(bus::bus_errc::deadline_exceeded,
                         "the command waited until its deadline and was not decided"));
        return true;
    }
    if (auto ok = bus::check_data(who->what); !ok) {
        who->answer(std::unexpected{std::move(ok.error())});
        return true;
    }
    if (!who->looked_up && !who->what.keys.empty()) {
        if (auto known = bus::known_answer(log, who->what)) {
            who->answer(std::move(*known));
            return true;
        }
        who->looked_up = true;
    }
    // With events of this turn on top the state cannot be brought up to date: then the append will
    // find out, and the turn is decided again.
    if (!l->state || (l->stale() && l->now->texts->events.empty())) {
        loads.add();
        if (auto ok = load(*l, log, snapshots); !ok) {
            who->answer(std::unexpected{std::move(ok.error())});
            return true;
        }
    }
    if (cmd.expected && !meets(*cmd.expected, l->current(l->ver))) {
        l->now->items.push_back({.who = who,
                                 .refused = version_conflict(*l),
                                 .after = l->current(l->ver),
                                 .result = {}});
        return true;
    }

    auto call = std::make_shared<decide_call>();
    call->who = who;
    call->use = kind_use{l->kind};
    l->kind->behavior->decide(
        *l->state, who->what,
        decide_completion{[self = shared_from_this(), l, call](result<decision> value) {
            self->completed(l, call, std::move(value));
        }});
    if (call->at.load(std::memory_order_acquire) != decide_call::phase::answered) {
        auto at = decide_call::phase::inside;
        const std::lock_guard lock{l->home.mutex};
        if (call->at.compare_exchange_strong(at, decide_call::phase::outside)) {
            l->open = call;
            return false;
        }
        if (at == decide_call::phase::taken_over) return false;  // the lane is somebody else's now
    }
    decided(*l, who, std::move(call->value));
    return true;
}

/// [any thread] The behavior's answer: taken up inside the call by the worker that made it,
/// otherwise continued on one, also when that call does not return.
void aggregate_runtime::state::completed(const std::shared_ptr<lane>& l,
                                         const std::shared_ptr<decide_call>& call,
                                         result<decision> value) {
    call->value = std::move(value);
    auto before = decide_call::phase::inside;
    if (call->decider == std::this_thread::get_id() ||
        !call->at.compare_exchange_strong(before, decide_call::phase::taken_over)) {
        before = call->at.exchange(decide_call::phase::answered);
        if (before == decide_call::phase::given_up) {
            late.add();
            return;
        }
        if (before == decide_call::phase::inside) return;
    }
    workers.post([self = shared_from_this(), l, call] {
        {
            const std::lock_guard lock{l->home.mutex};
            l->open.reset();
        }
        self->decided(*l, call->who, std::move(call->value));
        self->advance(l);
    });
}

void aggregate_runtime::state::give_up(const std::shared_ptr<lane>& l,
                                       const std::shared_ptr<decide_call>& call) {
    auto outside = decide_call::phase::outside;
    if (!call->at.compare_exchange_strong(outside, decide_call::phase::given_up)) return;
    overdue.add();
    workers.post([self = shared_from_this(), l, call] {
        {
            const std::lock_guard lock{l->home.mutex};
            l->open.reset();
        }
        call->kept = std::move(l->state);  // the behavior may still look at it
        telemetry::log(telemetry::level::error, "domain",
                       "a command was not decided by its deadline; its lane goes on without it",
                       {{"stream", std::string_view{l->stream}},
                        {"command", std::string_view{call->who->what.cmd.type}}});
        call->who->answer(
            fail(bus::bus_errc::deadline_exceeded, "the command was not decided in time"));
        l->now->closed = true;
        self->advance(l);
    });
}

void aggregate_runtime::state::decided(lane& l, const std::shared_ptr<waiting_command>& who,
                                       result<decision> value) {
    turn& now = *l.now;
    const auto drop = [&](error why) {
        failure failed = failure_of(std::move(why), l);
        // What the turn has decided so far stands, but nothing more can be put on top of it.
        if (!failed.keep_state) {
            l.state.reset();
            now.closed = true;
        }
        who->answer(std::unexpected{std::move(failed.answer)});
    };
    turn_item item{.who = who, .refused = {}, .result = {}};
    if (!value) {
        if (value.error().code != bus::bus_errc::command_rejected &&
            value.error().code != bus::bus_errc::validation_failed) {
            return drop(std::move(value.error()));
        }
        item.refused = std::move(value.error());
    } else {
        item.first_event = now.texts->events.size();
        item.events = value->events.size();
        item.result = std::move(value->result);
        add_events(*now.texts, *value, who->what.cmd.metadata);
        // Folded before it is written: what the aggregate cannot fold must not get into its stream.
        if (item.events != 0) {
            const auto folded = as_folded(*now.texts, item.first_event, l.ver + 1);
            if (auto ok = l.kind->behavior->evolve(*l.state, folded); !ok) {
                now.texts->events.resize(item.first_event);
                drop(std::move(ok.error()));
                l.state.reset();  // half folded, whatever the reason
                now.closed = true;
                return;
            }
            l.ver += item.events;
        }
    }
    item.after = l.current(l.ver);
    // Wrong input is no answer to keep: with the same key the mended command may come.
    if (!who->what.keys.empty() &&
        !(item.refused && item.refused->code == bus::bus_errc::validation_failed)) {
        now.keyed = now.items.size();
        now.closed = true;
    }
    now.items.push_back(std::move(item));
}

}  // namespace flexcore::domain
