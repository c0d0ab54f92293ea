#include "domain/projection_access_impl.hpp"
#include "domain/projection_runner_impl.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

/// A transaction is committed when it has taken this long, so that other projections get their
/// turn.
constexpr auto slice = std::chrono::milliseconds{10};
/// A checkpoint that moved over events of others only is saved this often.
constexpr store::position unsaved_max = 1'000;
constexpr auto unsaved_for_max = std::chrono::seconds{1};

bool of_one_tenant(std::span<const store::recorded_event> events) noexcept {
    return std::all_of(events.begin(), events.end(),
                       [&](const auto& e) { return e.tenant == events.front().tenant; });
}

}  // namespace

bool projection_runner::state::step(projection& p, deadline& due) {
    if (p.paused) {
        for (follower* f : {&p.serving, p.building ? &*p.building : nullptr}) {
            if (f != nullptr && f->events) f->events->cancel_wait();
        }
        return false;
    }
    bool more = false;
    if (!p.frozen) more = step(p, p.serving, due);
    if (p.open && p.building) {
        more = step(p, *p.building, due) || more;
        if (p.open) serve_if_complete(p);
    }
    return more || !p.open;
}

bool projection_runner::state::step(projection& p, follower& f, deadline& due) {
    const auto now = monotonic::now();
    if (f.stopped() && f.retry_at > now) {
        due = std::min(due, f.retry_at);
        return false;
    }
    if (f.left() == 0) {
        const bool catching_up = events.head() - std::min(f.seen, events.head()) > p.spec.batch_max;
        auto taken = f.events->take(catching_up ? settings.rebuild_batch_max : p.spec.batch_max);
        if (!taken) {
            stop(p, f, taken.error(), 0);
            return true;
        }
        f.batch = std::move(taken->batch);
        f.next = 0;
        f.batch_to = taken->seen_to;
        f.at_head = taken->at_head;
        if (f.left() == 0) {
            f.batch.reset();
            if (f.stopped()) recovered(f);
            if (f.seen != f.batch_to) {
                f.seen = f.batch_to;
                if (f.save_at == no_deadline) f.save_at = now + unsaved_for_max;
            }
            if (f.at_head && serves(p, f)) p.near_head = true;
            publish(p);
        }
    }
    if (f.left() != 0) return apply(p, f);
    if (f.seen - f.saved >= unsaved_max || f.save_at <= now) {
        if (auto ok = save(f); !ok) {
            failed(p, f, ok.error(), 0);
            return true;
        }
    }
    if (!f.at_head) return true;
    due = std::min(due, f.save_at);
    f.events->wait([ring = wake] { ring->ring(); });
    return false;
}

result<void> projection_runner::state::save(follower& f) {
    f.save_at = no_deadline;
    return f.saved == f.seen ? result<void>{} : move_checkpoint(f, f.seen);
}

result<void> projection_runner::state::move_checkpoint(follower& f, store::position to) {
    auto rows = views.begin(f.id, f.saved);
    if (!rows) return std::unexpected{std::move(rows.error())};
    if (auto ok = (*rows)->commit(to); !ok) return ok;
    f.saved = to;
    return {};
}

/// Applies what is at hand and commits it; returns true: there may be more.
bool projection_runner::state::apply(projection& p, follower& f) {
    const std::size_t count = f.try_events == 0 ? f.left() : std::min(f.left(), f.try_events);
    auto rows = views.begin(f.id, f.saved);
    if (!rows) {
        failed(p, f, rows.error(), 0);
        return true;
    }
    std::vector<bus::change_counters::slot> changed;
    auto* const noted = serves(p, f) ? &changed : nullptr;
    const auto& batch = f.batch->events;
    const auto begun = monotonic::now();
    std::size_t done = 0;
    while (done < count && (done == 0 || monotonic::now() - begun < slice)) {
        const std::size_t size = std::min(count - done, std::max<std::size_t>(p.spec.batch_max, 1));
        const std::span chunk{batch.data() + f.next + done, size};
        auto applied = apply_chunk(p, chunk, f.batch, **rows, noted);
        if (!applied) {
            rows->reset();  // rolls everything back
            failed(p, f, applied.error(), done + size);
            return true;
        }
        done += size;
    }
    const std::size_t next = f.next + done;
    const store::position to = next == batch.size() ? f.batch_to : batch[next - 1].pos;
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    for (const auto slot : changed) changes.announce(slot);
    auto committed = (*rows)->commit(to);
    rows->reset();
    for (const auto slot : changed) changes.bump(slot);
    if (!committed) {
        failed(p, f, committed.error(), 0);
        return true;
    }
    f.next = next;
    f.saved = f.seen = to;
    f.save_at = no_deadline;
    if (f.left() == 0) f.batch.reset();
    p.applied->add(static_cast<double>(done));
    if (f.stopped()) recovered(f);
    // The failing event is found from the front: what has passed lets the next try be larger.
    if (f.try_events != 0) f.try_events = f.left() == 0 ? 0 : f.try_events * 2;
    if (f.left() == 0 && f.at_head && serves(p, f)) p.near_head = true;
    publish(p);
    return true;
}

result<void> projection_runner::state::apply_chunk(
    projection& p, std::span<const store::recorded_event> chunk, std::shared_ptr<const void> keep,
    store::view_transaction& rows, std::vector<bus::change_counters::slot>* changed) {
    const deadline until = monotonic::now() + settings.apply_timeout;
    const auto apply_to = [&](std::string_view tenant,
                              std::span<const store::recorded_event> events_of_one,
                              std::shared_ptr<const void> owner) {
        return apply_events(*p.behavior,
                            std::make_shared<apply_access>(rows, tenant, p.spec.models, changed),
                            tenant, events_of_one, std::move(owner), until);
    };
    if (of_one_tenant(chunk)) {
        return apply_to(chunk.front().tenant, chunk, std::move(keep));
    }
    std::map<std::string_view, std::vector<store::recorded_event>> by_tenant;
    for (const auto& event : chunk) by_tenant[event.tenant].push_back(event);
    for (auto& [tenant, own] : by_tenant) {
        const auto owner = std::make_shared<
            std::pair<std::vector<store::recorded_event>, std::shared_ptr<const void>>>(
            std::move(own), keep);
        if (auto ok = apply_to(tenant, owner->first, owner); !ok) return ok;
    }
    return {};
}

void projection_runner::state::serve_if_complete(projection& p) {
    follower& made = *p.building;
    if (made.stopped() || made.left() != 0) return;
    const store::position head = events.head();
    // Reads must not go back; and under steady writes "exactly at the head" may never come.
    if (!p.ahead_of_log && made.seen < p.serving.seen) return;
    if (!made.at_head && head > made.seen + p.spec.batch_max) return;
    auto ok = save(made);
    if (ok) {
        changes.announce_all();
        ok = views.serve(made.id);
        changes.bump_all();
    }
    if (!ok) {
        failed(p, made, ok.error(), 0);
        return;
    }
    p.serving = std::move(made);
    p.building.reset();
    p.frozen = false;
    p.ahead_of_log = false;
    p.near_head = true;
    telemetry::log(telemetry::level::info, "domain", "a rebuilt projection serves now",
                   {{"projection", std::string_view{p.spec.name}},
                    {"version", std::uint64_t{p.spec.version}},
                    {"position", p.serving.seen}});
    publish(p);
}

void projection_runner::state::skip(projection& p, store::position at) {
    for (follower* f : {&p.serving, p.building ? &*p.building : nullptr}) {
        if (f == nullptr || f->poison != at || f->left() == 0) continue;
        const std::size_t next = f->next + 1;
        const store::position to = next == f->batch->events.size() ? f->batch_to : at;
        if (auto ok = move_checkpoint(*f, to); !ok) {
            failed(p, *f, ok.error(), 0);
            return;
        }
        telemetry::log(telemetry::level::warn, "domain",
                       "a projection passes over an event, as the operator asked",
                       {{"projection", std::string_view{p.spec.name}},
                        {"position", at},
                        {"reason", std::string_view{f->stopped_because}}});
        f->seen = to;
        f->next = next;
        f->try_events = 0;
        recovered(*f);
    }
}

}  // namespace flexcore::domain
