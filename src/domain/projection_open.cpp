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

}  // namespace

void projection_runner::state::open(projection& p) {
    if (p.open_at > monotonic::now()) return;
    auto found = find_generations(p);
    p.open = found.has_value();
    if (found) {
        // Before the checkpoint that is now believed another server may have changed rows.
        changes.bump_all();
        p.open_error.clear();
        p.serving.delay = {};
    } else {
        p.building.reset();
        p.open_error = found.error().client;
        p.serving.delay =
            std::clamp(p.serving.delay * 2, settings.retry_delay,
                       std::max(settings.retry_delay,
                                std::min(settings.retry_delay_max, projection::store_retry_max)));
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
    if (!ok) {
        p.building.reset();
        drop(*made, "its rebuild could not begin");
    }
    return ok;
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
    std::optional<store::generation> serving;
    std::optional<store::generation> building;
    p.building.reset();
    p.frozen = false;
    for (auto& g : *all) {
        if (g.projection != p.spec.name) {
            if (shares_a_model(g, p.spec) && !find(g.projection)) {
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
        } else if (!log.shared() || g.version <= p.spec.version) {
            drop(g, "left over from an interrupted rebuild");
        }
    }
    if (!serving) {
        if (building) drop(*building, "nothing serves beside it");
        auto made = views.create(p.spec.name, p.spec.version, p.spec.models);
        if (!made) return std::unexpected{std::move(made.error())};
        if (!made->serving) {
            // Another server has made one at the same moment.
            drop(*made, "another one serves already");
            return find_generations(p);
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
    if (log.shared() && serving->version > p.spec.version && !p.ahead_of_log) {
        // Two would build over each other for ever. Who means it asks for a rebuild.
        telemetry::log(telemetry::level::warn, "domain",
                       "a newer version of a projection serves; this server only reads its rows",
                       {{"projection", std::string_view{p.spec.name}},
                        {"version", std::uint64_t{p.spec.version}},
                        {"serving", std::uint64_t{serving->version}}});
        return {};
    }
    return begin_building(p);
}

}  // namespace flexcore::domain
