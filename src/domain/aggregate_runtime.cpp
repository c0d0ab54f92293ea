#include "domain/aggregate_runtime.hpp"

#include "domain/aggregate_runtime_impl.hpp"

namespace flexcore::domain {

aggregate_runtime::state::state(aggregate_settings s, store::event_log& l, runtime::executor& w,
                                telemetry::metrics& m, store::snapshot_store* kept)
    : settings{s},
      log{l},
      workers{w},
      snapshots{.kept = kept, .every = s.snapshot_every, .bytes_max = s.snapshot_bytes_max},
      turns{m.counter_for("flexcore_aggregate_turns_total",
                          "Goes of a lane, each deciding what waits")},
      loads{m.counter_for("flexcore_aggregate_loads_total",
                          "Aggregates read from the log because they were not in memory")},
      conflicts{m.counter_for("flexcore_aggregate_conflicts_total",
                              "Turns decided again because the stream had moved")},
      overdue{m.counter_for("flexcore_aggregate_overdue_decides_total",
                            "Decides given up beyond their deadline")},
      late{m.counter_for("flexcore_aggregate_late_decides_total",
                         "Decides that were answered after they had been given up")},
      cached_states{m.gauge_for("flexcore_aggregate_cached", "Aggregates in memory")},
      cached_state_bytes{m.gauge_for("flexcore_aggregate_cached_bytes",
                                     "Rough size of the aggregates in memory")} {}

aggregate_runtime::aggregate_runtime(aggregate_settings settings, store::event_log& log,
                                     bus::event_bus& events, runtime::executor& workers,
                                     telemetry::metrics& metrics, store::snapshot_store* snapshots)
    : state_{std::make_shared<state>(settings, log, workers, metrics, snapshots)} {
    events.on_commit([weak = std::weak_ptr{state_}](const store::commit& commit) {
        if (const auto self = weak.lock()) self->seen(commit);
    });
}

aggregate_runtime::~aggregate_runtime() = default;

result<void> aggregate_runtime::add(aggregate_spec spec,
                                    std::shared_ptr<aggregate_behavior> behavior) {
    auto kind = std::make_shared<aggregate_kind>(std::move(spec), std::move(behavior));
    state_->log.keep_history(kind->spec.category);
    const std::unique_lock lock{state_->kinds_mutex};
    if (!state_->kinds.try_emplace(kind->spec.category, kind).second) {
        return fail(bus::bus_errc::duplicate_name,
                    "aggregate category " + kind->spec.category + " exists already");
    }
    return {};
}

void aggregate_runtime::remove(std::string_view category, std::move_only_function<void()> drained) {
    std::shared_ptr<aggregate_kind> kind;
    {
        const std::unique_lock lock{state_->kinds_mutex};
        if (const auto found = state_->kinds.find(category); found != state_->kinds.end()) {
            kind = std::move(found->second);
            state_->kinds.erase(found);
        }
    }
    if (!kind) {
        drained();
        return;
    }
    kind->refuse_new();
    state_->release_lanes_of(*kind);
    kind->when_unused(std::move(drained));
}

void aggregate_runtime::execute(bus::accepted_command what, bus::command_done done) {
    state_->execute(std::move(what), std::move(done));
}

void aggregate_runtime::state::execute(bus::accepted_command what, bus::command_done done) {
    std::shared_ptr<aggregate_kind> kind;
    {
        const std::shared_lock lock{kinds_mutex};
        if (const auto found = kinds.find(what.category); found != kinds.end()) {
            kind = found->second;
        }
    }
    // The use comes before the look at `draining`: whoever waits for the kind waits for us.
    const auto use = kind ? kind_use{kind} : kind_use{};
    auto who = std::make_shared<waiting_command>();
    who->what = std::move(what);
    who->done = std::move(done);
    const auto withdrawn = [&] {
        who->answer(fail(bus::bus_errc::unavailable,
                         "the plugin of " + who->what.category + " is not loaded"));
    };
    if (!kind || kind->draining()) return withdrawn();

    const stream_key key{who->what.cmd.who.tenant, who->what.stream};
    auto& home = home_of(key);
    std::shared_ptr<lane> to;
    std::shared_ptr<decide_call> stuck;
    bool start = false;
    bool full = false;
    bool taken = false;
    {
        const std::lock_guard lock{home.mutex};
        if (const auto found = home.lanes.find(key); found != home.lanes.end()) {
            to = *found;
        } else {
            to = std::make_shared<lane>(key.tenant, key.stream, kind, home);
            home.lanes.insert(to);
            lanes.fetch_add(1, std::memory_order_relaxed);
            to->place = home.idle.insert(home.idle.begin(), to.get());
        }
        full = to->queue.size() >= settings.lane_waiting_max;
        if (to->kind == kind && !full) {
            start = !to->busy;
            if (start) {
                to->busy = true;
                to->use = use;
                home.idle.erase(to->place);
            } else if (to->open && to->open->who->what.cmd.until <= monotonic::now()) {
                stuck = to->open;
            }
            to->queue.push_back(who);
            taken = true;
        }
    }
    if (!taken) {
        if (!full) return withdrawn();
        return who->answer(fail(bus::bus_errc::busy,
                                "too many commands wait for this aggregate; try again shortly"));
    }
    if (stuck) give_up(to, stuck);
    if (start) post(std::move(to), &state::start_turn);
}

/// [log writer] Streams that were deleted, for instance: their lanes look at the log again.
void aggregate_runtime::state::streams_changed(const store::commit& commit) {
    for (const auto& changed : commit.changed) {
        const stream_key key{changed.tenant, changed.stream};
        auto& home = home_of(key);
        const std::lock_guard lock{home.mutex};
        if (const auto found = home.lanes.find(key); found != home.lanes.end()) {
            (*found)->changes.fetch_add(1, std::memory_order_acq_rel);
        }
    }
    if (commit.any_may_have_changed) {
        for (auto& home : shards) {
            const std::lock_guard lock{home.mutex};
            for (const auto& one : home.lanes) {
                one->changes.fetch_add(1, std::memory_order_acq_rel);
            }
        }
    }
    if (snapshots.kept == nullptr || commit.changed.empty()) return;
    // What was deleted is not kept elsewhere. (After other changes it is only taken again.)
    std::vector<std::pair<std::string, std::string>> names;
    for (const auto& changed : commit.changed) names.emplace_back(changed.tenant, changed.stream);
    workers.post([self = shared_from_this(), names = std::move(names)] {
        for (const auto& [tenant, stream] : names) self->snapshots.kept->drop(tenant, stream);
    });
}

/// [log writer] Notes what came into a stream by another way than its lane. The lane compares
/// versions when it decides, so it does not matter whether it is just loading.
void aggregate_runtime::state::seen(const store::commit& commit) noexcept {
    streams_changed(commit);
    if (lanes.load(std::memory_order_relaxed) == 0) return;
    const auto& events = commit.batch->events;
    const auto note = [&](std::size_t from, std::size_t to) {
        while (from < to) {
            const stream_key key{events[from].tenant, events[from].stream};
            std::size_t last = from;
            while (last + 1 < to && events[last + 1].stream == key.stream &&
                   events[last + 1].tenant == key.tenant) {
                ++last;
            }
            auto& home = home_of(key);
            const std::lock_guard lock{home.mutex};
            if (const auto found = home.lanes.find(key); found != home.lanes.end()) {
                (*found)->foreign.store(events[last].ver, std::memory_order_release);
            }
            from = last + 1;
        }
    };
    // Events of no append at all were found after an ambiguous commit: nobody was told of them.
    std::size_t next = 0;
    for (const auto& append : commit.appends) {
        if (append.count == 0) continue;
        note(next, append.first);
        next = append.first + append.count;
        if (append.origin != this) note(append.first, next);
    }
    note(next, events.size());
}

void aggregate_runtime::state::release_lanes_of(const aggregate_kind& kind) {
    for (auto& home : shards) {
        // States go outside the lock, and now, whoever still holds the lane itself.
        std::vector<std::unique_ptr<aggregate_state>> released;
        const std::lock_guard lock{home.mutex};
        for (auto at = home.idle.begin(); at != home.idle.end();) {
            lane& candidate = **at;
            if (candidate.kind.get() != &kind) {
                ++at;
                continue;
            }
            at = home.idle.erase(at);
            cached.fetch_sub(candidate.cached_bytes > 0 ? 1 : 0);
            cached_bytes.fetch_sub(candidate.cached_bytes);
            const auto found = home.lanes.find(stream_key{candidate.tenant, candidate.stream});
            released.push_back(std::move(candidate.state));
            home.lanes.erase(found);
            lanes.fetch_sub(1, std::memory_order_relaxed);
        }
    }
}

std::shared_ptr<waiting_command> aggregate_runtime::state::next_of(lane& l) {
    const std::lock_guard lock{l.home.mutex};
    if (l.queue.empty()) return nullptr;
    auto next = std::move(l.queue.front());
    l.queue.pop_front();
    return next;
}

void aggregate_runtime::state::put_back(lane& l,
                                        std::vector<std::shared_ptr<waiting_command>> again) {
    const std::lock_guard lock{l.home.mutex};
    l.queue.insert(l.queue.begin(), std::move_iterator{again.begin()},
                   std::move_iterator{again.end()});
}

void aggregate_runtime::state::end_turn(const std::shared_ptr<lane>& l) {
    l->now.reset();
    std::unique_ptr<aggregate_state> dropped;
    kind_use use;  // ends after the state is gone
    bool more = false;
    {
        const std::lock_guard lock{l->home.mutex};
        // What the lane holds is counted anew after every turn.
        if (l->cached_bytes != 0) {
            cached.fetch_sub(1);
            cached_bytes.fetch_sub(l->cached_bytes);
            l->cached_bytes = 0;
        }
        more = !l->queue.empty();
        if (!more) {
            l->busy = false;
            use = std::exchange(l->use, {});
        }
        if (l->state && (more || !l->kind->draining())) {
            l->cached_bytes = std::max<std::size_t>(l->state->bytes(), 1);
            cached.fetch_add(1);
            cached_bytes.fetch_add(l->cached_bytes);
            if (!more) l->place = l->home.idle.insert(l->home.idle.begin(), l.get());
        } else if (!more) {
            dropped = std::move(l->state);
            l->home.lanes.erase(l->home.lanes.find(stream_key{l->tenant, l->stream}));
            lanes.fetch_sub(1, std::memory_order_relaxed);
        }
    }
    dropped.reset();
    if (more) {
        post(l, &state::start_turn);
        return;
    }
    evict();
    cached_states.set(static_cast<double>(cached.load()));
    cached_state_bytes.set(static_cast<double>(cached_bytes.load()));
}

/// Idle lanes go until the bounds hold, the least recently used of one shard after the other's.
void aggregate_runtime::state::evict() {
    for (std::size_t misses = 0;
         misses < shards.size() && (cached.load() > settings.cached_max ||
                                    cached_bytes.load() > settings.cached_bytes_max);) {
        auto& home = shards[evict_next.fetch_add(1) % shards.size()];
        std::unique_ptr<aggregate_state> evicted;  // goes outside the lock
        const std::lock_guard lock{home.mutex};
        if (home.idle.empty()) {
            ++misses;
            continue;
        }
        lane& oldest = *home.idle.back();
        home.idle.pop_back();
        const auto found = home.lanes.find(stream_key{oldest.tenant, oldest.stream});
        evicted = std::move(oldest.state);
        cached.fetch_sub(1);
        cached_bytes.fetch_sub(oldest.cached_bytes);
        home.lanes.erase(found);
        lanes.fetch_sub(1, std::memory_order_relaxed);
        misses = 0;
    }
}

}  // namespace flexcore::domain
