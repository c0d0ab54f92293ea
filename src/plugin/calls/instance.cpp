#include "plugin/calls/instance.hpp"

#include "base/check.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace flexcore::plugin {
namespace {

constexpr auto sweep_every = std::chrono::milliseconds{20};
constexpr auto apply_patience = std::chrono::milliseconds{50};
constexpr auto plain_patience = std::chrono::seconds{1};
constexpr std::uint32_t stuck_max = 2;

std::uint32_t room_for(const library_info& info, const plugin_settings& settings) {
    return info.in_flight_max != 0 ? info.in_flight_max : settings.in_flight_max;
}

call_failure late_failure() { return {call_failure::origin::deadline, FXC_TIMEOUT, {}, {}, {}}; }

bool is_lifecycle(call_kind kind) {
    return kind == call_kind::start || kind == call_kind::drain || kind == call_kind::health;
}

std::uint32_t generation_of(fxc_call handle) { return static_cast<std::uint32_t>(handle >> 32); }

}  // namespace

instance::instance(library file, catalogue brings, const environment& with)
    : library_{std::move(file)},
      catalogue_{std::move(brings)},
      environment_{with},
      host_{make_host_tables(this)},
      metrics_{library_.name(), with.metrics, with.names},
      reentrant_{(library_.info().flags & FXC_REENTRANT) != 0},
      gate_{with.workers},
      calls_{room_for(library_.info(), with.settings)} {}

instance::~instance() = default;

// ---- the way of a call

bool instance::is_stuck_for(call_kind kind) const noexcept {
    // The projector has one at a time.
    if (kind == call_kind::apply && applies_open_.load() > 0) return true;
    const std::uint32_t stuck = stuck_.load(std::memory_order_relaxed);
    if (reentrant_) return stuck >= stuck_max;
    // One at a time: what waits for its turn needs no thread, but for those for which one waits.
    return stuck > 0 && (kind == call_kind::apply || kind == call_kind::evolve);
}

result<call*> instance::open(call_kind kind, deadline until) {
    const bool lifecycle = is_lifecycle(kind);
    if (!lifecycle && is_stuck_for(kind))
        return fail(plugin_errc::busy, "earlier calls of the plugin have not ended");
    call* const made = calls_.take(lifecycle);
    if (made == nullptr)
        return fail(plugin_errc::busy, "the plugin has as many calls in flight as it takes");
    // Counted first, looked after: who closes and then finds nothing in flight can be sure.
    if (closed_ && kind != call_kind::drain) {
        calls_.give_back(*made);  // as it was taken: nothing to retire, and it is not guarded here
        return fail(plugin_errc::draining, "the plugin is going out of service");
    }
    made->kind = kind;
    made->began = monotonic::now();
    made->until = until == no_deadline ? made->began + environment_.settings.call_timeout : until;
    calls_made_.fetch_add(1, std::memory_order_relaxed);
    if (kind == call_kind::apply) applies_open_.fetch_add(1);
    return made;
}

void instance::run(call& of) {
    {
        const std::lock_guard lock{of.guard};
        of.published = true;
    }
    arm();
    const bool gated = !reentrant_ && of.kind != call_kind::health;
    if (of.on_worker && (!gated || gate_.try_enter())) return step_in(of, gated);
    if (of.kind == call_kind::apply &&
        gate_.enter_until(std::min(of.until, monotonic::now() + apply_patience)))
        return step_in(of, gated);
    // These have a thread of their own, which may wait.
    if (of.kind == call_kind::start || of.kind == call_kind::drain)
        return gate_.enter_until(of.until) ? step_in(of, gated) : turn_away(of);
    auto later = [self = shared_from_this(), &of, gated] { self->step_in(of, gated); };
    if (gated) {
        gate_.enter_later(std::move(later));
    } else {
        environment_.workers.post(std::move(later));
    }
}

void instance::step_in(call& of, bool gated) {
    delivery out;
    bool over = true;
    {
        std::unique_lock lock{of.guard};
        if (!of.answered) {
            of.inside = of.started = true;
            lock.unlock();
            inside_.fetch_add(1);
            auto thrown = guard(name(), [&] { call_plugin(of); });
            inside_.fetch_sub(1);
            lock.lock();
            of.inside = false;
            if (of.stuck) stuck_.fetch_sub(1);
            if (thrown) {
                of.doom({call_failure::origin::contract,
                         FXC_INTERNAL,
                         "let an exception out: " + *thrown,
                         {},
                         {}});
                of.completed = true;
            }
        }
        // Answered before it started: the plugin never saw it and owes nothing.
        over = of.completed || !of.started;
        if (over) take(of, out);
    }
    if (over) calls_.give_back(of);
    // Before the delivery: what it leads to may want to go in again.
    if (gated) gate_.leave();
    if (over) deliver(out);
}

/// Ends a call that the plugin never saw.
void instance::turn_away(call& of) {
    delivery out;
    {
        const std::lock_guard lock{of.guard};
        of.doom(late_failure());
        take(of, out);
    }
    calls_.give_back(of);
    deliver(out);
}

void instance::call_plugin(call& of) {
    const fxc_call handle = of.handle();
    switch (of.kind) {
        case call_kind::start:
            return tables_.lifecycle->start(object_, handle);
        case call_kind::drain:
            return tables_.lifecycle->drain(object_, handle);
        case call_kind::health:
            return tables_.lifecycle->health(object_, handle);
        default:
            break;
    }
    if (of.state != nullptr)
        return tables_.aggregate_native->decide(object_, handle, of.state, of.pointers.front());
    of.handler(object_, handle, of.pointers.data(), of.pointers.size());
}

void instance::take(call& of, delivery& into) {
    into.done = std::move(of.done);
    into.outcome = std::move(of.outcome);
    into.keep = std::move(of.keep);
    into.direct = of.direct;
    of.done = {};
    if (of.kind == call_kind::apply) applies_open_.fetch_sub(1);
    calls_.retire(of);
}

void instance::deliver(delivery& out) {
    out.keep.reset();
    if (!out.done) return;
    if (out.outcome.failure) note_failure(*out.outcome.failure);
    out.done(std::move(out.outcome));
}

void instance::complete(fxc_call handle, std::optional<call_failure> failure, std::string result) {
    call* const of = calls_.slot_of(handle);
    if (of == nullptr) return note_stale("a completion with a handle that never was");
    delivery out;
    {
        std::unique_lock lock{of->guard};
        if (of->generation != generation_of(handle) || !of->published || !of->started ||
            of->completed) {
            lock.unlock();
            return note_stale("a second completion, or one of a call that is over");
        }
        of->completed = true;
        if (of->answered || monotonic::now() >= of->until) {
            if (of->kind == call_kind::drain && !failure) drained_late_ = true;
            note_stale("a completion after the deadline");
            of->doom(late_failure());
        } else if (failure) {
            of->doom(*std::move(failure));
        } else {
            of->outcome.result = std::move(result);
        }
        if (of->inside) return;  // delivered when the handler returns
        take(*of, out);
        if (!out.direct && (out.done || out.keep) && !abandoned_) {
            // Not here: this is the plugin's thread, perhaps with a lock of its own held, and a
            // state may go back to the plugin. Posted under the guard, so that `abandon` can be
            // sure of the environment.
            environment_.workers.post([self = shared_from_this(), late = std::move(out)]() mutable {
                self->deliver(late);
            });
            out = {};
        }
    }
    calls_.give_back(*of);
    deliver(out);
}

call_outcome instance::run_and_wait(call& of) {
    struct latch {
        std::mutex mutex;
        std::condition_variable there;
        std::optional<call_outcome> outcome;
    };
    auto waits = std::make_shared<latch>();
    of.direct = true;
    of.done = [waits](call_outcome&& outcome) {
        const std::lock_guard lock{waits->mutex};
        waits->outcome = std::move(outcome);
        waits->there.notify_all();
    };
    run(of);
    std::unique_lock lock{waits->mutex};
    waits->there.wait(lock, [&] { return waits->outcome.has_value(); });
    return *std::move(waits->outcome);
}

// ---- plain functions and states

result<void> instance::plain(std::move_only_function<void()> work) {
    const struct counted {
        explicit counted(std::atomic<std::uint32_t>& n) : number{n} { ++number; }
        counted(const counted&) = delete;
        counted& operator=(const counted&) = delete;
        ~counted() { --number; }
        std::atomic<std::uint32_t>& number;
    } held{inside_};  // counted first, looked after: see `open`
    if (closed_) return fail(plugin_errc::draining, "the plugin is going out of service");
    // The waiting thread is a worker, which others need.
    const auto patience = stuck_ > 0 ? monotonic::duration{}
                                     : std::min<monotonic::duration>(
                                           plain_patience, environment_.settings.call_timeout);
    if (!reentrant_ && !gate_.enter_until(monotonic::now() + patience))
        return fail(plugin_errc::busy, "the plugin is occupied by another call");
    auto thrown = guard(name(), [&] { work(); });
    if (!reentrant_) gate_.leave();
    if (!thrown) return {};
    note_failure(
        {call_failure::origin::contract, FXC_INTERNAL, "let an exception out: " + *thrown, {}, {}});
    return fail(plugin_errc::failed, "the plugin failed; the server's log says why", *thrown);
}

void instance::release_state(fxc_state* state) {
    if (abandoned_) return;  // left as it is, with its states
    const bool inside = reentrant_ || gate_.try_enter();
    auto release = [self = shared_from_this(), state] {
        self->inside_.fetch_add(1);
        const auto thrown = guard(
            self->name(), [&] { self->tables_.aggregate_native->release(self->object_, state); });
        if (thrown)
            self->note_failure({call_failure::origin::contract,
                                FXC_INTERNAL,
                                "let an exception out of release: " + *thrown,
                                {},
                                {}});
        self->states_.fetch_sub(1);
        self->inside_.fetch_sub(1);
        if (!self->reentrant_) self->gate_.leave();
    };
    if (inside) {
        release();
    } else {
        gate_.enter_later(std::move(release));
    }
}

// ---- deadlines

void instance::arm() {
    if (armed_.load() || armed_.exchange(true)) return;
    environment_.timers.after(sweep_every, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->sweep();
    });
}

void instance::sweep() {
    const auto now = monotonic::now();
    calls_.each([&](call& of) {
        // Held: somebody reads a view or emits right now. The next sweep will find it.
        std::unique_lock lock{of.guard, std::try_to_lock};
        if (!lock || !of.published || of.answered || of.until > now || abandoned_) return;
        of.answered = true;
        of.stuck = of.inside && !is_lifecycle(of.kind);
        if (of.stuck) stuck_.fetch_add(1);
        delivery out{std::move(of.done), {}, {}, of.direct};
        of.done = {};
        if (of.completed) {
            out.outcome = std::move(of.outcome);  // done, but its handler does not return
        } else {
            out.outcome.failure = std::make_unique<call_failure>(late_failure());
            if (of.started) tell_cancelled(of.handle());
        }
        // These callers have no timer of their own, and there may be no worker left.
        if (out.direct || of.kind == call_kind::process || of.kind == call_kind::health) {
            lock.unlock();
            return deliver(out);
        }
        environment_.workers.post(
            [self = shared_from_this(), late = std::move(out)]() mutable { self->deliver(late); });
    });
    publish_metrics();
    armed_ = false;
    if (calls_.in_flight() > 0 && !abandoned_) arm();
}

void instance::tell_cancelled(fxc_call handle) {
    if (tables_.lifecycle->cancel == nullptr) return;
    inside_.fetch_add(1);  // counted from here: the plugin must not be destroyed before
    environment_.workers.post([self = shared_from_this(), handle] {
        const auto thrown =
            guard(self->name(), [&] { self->tables_.lifecycle->cancel(self->object_, handle); });
        if (thrown)
            self->note_failure({call_failure::origin::contract,
                                FXC_INTERNAL,
                                "let an exception out of cancel: " + *thrown,
                                {},
                                {}});
        self->inside_.fetch_sub(1);
    });
}

// ---- what host functions ask

instance::locked_call instance::find(fxc_call handle) const {
    call* const of = calls_.slot_of(handle);
    if (of == nullptr) return {};
    std::unique_lock lock{of->guard};
    if (of->generation != generation_of(handle) || !of->started || of->completed || of->answered)
        return {};
    return {of, std::move(lock)};
}

const fxc_call_info* instance::info(fxc_call handle) const {
    call* const of = calls_.slot_of(handle);
    if (of == nullptr) return nullptr;
    const std::lock_guard lock{of->guard};
    if (of->generation != generation_of(handle) || !of->started || of->completed) return nullptr;
    return &of->info;
}

std::optional<bool> instance::cancelled(fxc_call handle) const {
    call* const of = calls_.slot_of(handle);
    if (of == nullptr) return std::nullopt;
    const std::lock_guard lock{of->guard};
    if (of->generation != generation_of(handle) || !of->started || of->completed)
        return std::nullopt;
    // Doomed: it fails whatever the plugin still does.
    return of->answered || of->outcome.failure || monotonic::now() >= of->until;
}

}  // namespace flexcore::plugin
