#include "domain/projection_access_impl.hpp"
#include "domain/projection_runner_impl.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

bool shares_a_model(const store::generation& g, const projection_spec& spec) {
    return std::any_of(g.models.begin(), g.models.end(), [&](const auto& theirs) {
        return std::any_of(spec.models.begin(), spec.models.end(),
                           [&](const auto& ours) { return ours.name == theirs.name; });
    });
}

constexpr std::chrono::seconds others_looked_at_every{1};
/// Of how many servers that make the same at the same moment one may be the last.
constexpr int overtaken_max = 3;

bool was_overtaken(const error& why) noexcept {
    return why.code == store::store_errc::checkpoint_conflict ||
           why.code == store::store_errc::unknown_generation;
}

}  // namespace

void projection_runner::state::open(projection& p) {
    if (p.open_at > monotonic::now()) return;
    p.open_error.clear();
    auto found = find_generations(p);
    for (int again = 0; again < overtaken_max && !found && was_overtaken(found.error()); ++again)
        found = find_generations(p);
    p.open = found.has_value();
    if (found) {
        // Before the checkpoint that is now believed another server may have changed rows.
        changes.bump_all();
        p.serving.delay = {};
    } else {
        p.building.reset();
        p.open_error = found.error().client;
        const bool passing = is_store_failure(found.error()) || was_overtaken(found.error());
        const auto longest = passing
                                 ? std::min(settings.retry_delay_max, projection::store_retry_max)
                                 : settings.retry_delay_max;
        p.serving.delay = std::clamp(p.serving.delay * 2, settings.retry_delay,
                                     std::max(settings.retry_delay, longest));
        p.open_at = monotonic::now() + p.serving.delay;
        telemetry::log(telemetry::level::error, "domain", "a projection could not be opened",
                       {{"projection", std::string_view{p.spec.name}},
                        {"error", std::string_view{found.error().client}},
                        {"detail", std::string_view{found.error().log}}});
    }
    publish(p);
    const std::lock_guard lock{p.mutex};
    p.tried_open = true;
    p.opened.notify_all();
}

void projection_runner::state::drop(const store::generation& g, std::string_view why) {
    if (g.serving) changes.announce_all();
    const auto done = views.drop(g.id);
    if (g.serving) changes.bump_all();
    if (!done && done.error().code == store::store_errc::unknown_generation) return;
    telemetry::log(
        done ? telemetry::level::info : telemetry::level::error, "domain",
        done ? "rows of a projection were dropped" : "rows of a projection could not be dropped",
        {{"projection", std::string_view{g.projection}},
         {"version", std::uint64_t{g.version}},
         {"reason", why}});
}

result<void> projection_runner::state::follow(projection& p, follower& f,
                                              const store::generation& g) {
    f = {};
    f.id = g.id;
    f.saved = f.seen = g.checkpoint;
    f.stopped_because = g.stopped_because;  // tried again at once; shown until it succeeds
    auto subscribed =
        events.subscribe({.tenant = {}, .what = p.spec.selector, .since = {}}, f.seen);
    if (!subscribed) return std::unexpected{std::move(subscribed.error())};
    f.events = std::move(*subscribed);
    return {};
}

result<void> projection_runner::state::begin_building(projection& p) {
    auto made = views.create(p.spec.name, p.spec.version, p.spec.models);
    if (!made) return std::unexpected{std::move(made.error())};
    telemetry::log(telemetry::level::info, "domain", "a projection is rebuilt",
                   {{"projection", std::string_view{p.spec.name}},
                    {"version", std::uint64_t{p.spec.version}}});
    p.building.emplace();
    auto ok = follow(p, *p.building, *made);
    if (ok) {
        p.open_error.clear();
    } else {
        p.building.reset();
        drop(*made, "its rebuild could not begin");
    }
    return ok;
}

/// Where other servers write rows, too, this one's cached answers must not outlive theirs.
void projection_runner::state::look_for_others() {
    const auto now = monotonic::now();
    if (!log.shared() || now < look_at) return;
    look_at = now + others_looked_at_every;
    const auto known = std::exchange(generations_known, views.generations_changed());
    const auto list = all();
    if (known != 0 && known != generations_known) {
        changes.bump_all();
        for (const auto& p : list) {
            if (p->open) reopen(*p);
        }
        return;
    }
    // Nothing is heard here of what is applied to rows that this server does not fill.
    if (std::any_of(list.begin(), list.end(),
                    [](const shared& p) { return p->open && (p->frozen || p->paused); }))
        changes.bump_all();
}

result<void> projection_runner::state::find_generations(projection& p) {
    auto all = views.generations();
    if (!all) return std::unexpected{std::move(all.error())};
    // Not the event bus's: that one may still be told of what has been read from the log.
    store::position head = log.head();
    const bool ahead = std::any_of(all->begin(), all->end(),
                                   [&](const store::generation& g) { return g.checkpoint > head; });
    if (ahead) {
        // Another server may have applied what is not known here yet.
        const auto end = log.end();
        if (!end) return std::unexpected{end.error()};
        head = *end;
    }
    // Beside other servers only who comes anew puts his own in the place of theirs: else two that
    // want different rows would take them from each other for ever.
    const bool comes_anew = !log.shared() || !p.tried_open;
    std::optional<store::generation> serving;
    std::optional<store::generation> building;
    std::vector<store::generation> others;
    p.building.reset();
    p.frozen = false;
    for (auto& g : *all) {
        if (g.projection != p.spec.name) {
            if (comes_anew && shares_a_model(g, p.spec) && !find(g.projection)) {
                drop(g, "its read model has another writer now");
            }
            continue;
        }
        p.paused = p.paused || g.paused;
        if (g.serving) {
            serving = std::move(g);
        } else if (!building && g.version == p.spec.version && g.models == p.spec.models &&
                   g.checkpoint <= head) {
            building = std::move(g);  // a rebuild that was interrupted goes on
        } else if (comes_anew && (!log.shared() || g.version <= p.spec.version)) {
            drop(g, "left over from an interrupted rebuild");
        } else {
            others.push_back(std::move(g));
        }
    }
    if (!serving) {
        if (building) drop(*building, "nothing serves beside it");
        for (const auto& other : others) drop(other, "nothing serves beside it");
        auto made = views.create(p.spec.name, p.spec.version, p.spec.models);
        if (!made) return std::unexpected{std::move(made.error())};
        if (!made->serving) {
            drop(*made, "another one serves already");
            return fail(store::store_errc::checkpoint_conflict,
                        "another server has made these rows at the same moment");
        }
        serving = std::move(*made);
        building.reset();
    }
    if (auto ok = follow(p, p.serving, *serving); !ok) return ok;
    p.frozen = serving->version != p.spec.version || serving->models != p.spec.models ||
               serving->checkpoint > head;
    p.ahead_of_log = serving->checkpoint > head;
    p.near_head = !p.frozen && head - serving->checkpoint <= settings.rebuild_batch_max;
    if (p.frozen) p.serving.stopped_because.clear();
    if (building) {
        p.building.emplace();
        return follow(p, *p.building, *building);
    }
    if (!p.frozen) return {};
    if (log.shared() && !p.ahead_of_log && (!comes_anew || serving->version > p.spec.version)) {
        p.open_error =
            "another server's rows of it serve (version " + std::to_string(serving->version) +
            "); this one only reads them. A rebuild " + "puts those of this server in their place";
        telemetry::log(telemetry::level::warn, "domain", "a projection of another server serves",
                       {{"projection", std::string_view{p.spec.name}},
                        {"version", std::uint64_t{p.spec.version}},
                        {"serving", std::uint64_t{serving->version}}});
        return {};
    }
    return begin_building(p);
}

}  // namespace flexcore::domain
