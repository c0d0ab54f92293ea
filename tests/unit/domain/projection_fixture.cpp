#include "unit/domain/projection_fixture.hpp"

namespace flexcore::test {

const store::model_spec counts_model{.name = "counts", .indexed = {"n"}};

counting::counting(std::string model) : model_{std::move(model)} {}

counting::~counting() { join(); }

void counting::apply(std::string_view tenant, std::span<const store::recorded_event> events,
                     domain::projection_views& views, deadline,
                     std::move_only_function<void(result<void>)> done) {
    applies.fetch_add(1);
    for (const auto& event : events) {
        if (event.tenant != tenant) mixed_tenants.fetch_add(1);
    }
    switch (how.load()) {
        case way::inside:
            return done(count(events, views));
        case way::other_thread:
            join();
            thread_ = std::thread{[this, events, &views, done = std::move(done)]() mutable {
                done(count(events, views));
            }};
            return;
        case way::joined: {
            result<void> counted;
            std::thread{[&] { counted = count(events, views); }}.join();
            return done(std::move(counted));
        }
        case way::never: {
            const std::lock_guard lock{mutex};
            kept.push_back(std::move(done));
            late_views = &views;
            return;
        }
        case way::dropped:
            return;
    }
}

void counting::poison(std::set<std::string> types) {
    const std::lock_guard lock{mutex};
    poison_ = std::move(types);
}

result<void> counting::count(std::span<const store::recorded_event> events,
                             domain::projection_views& views) {
    for (const auto& event : events) {
        {
            const std::lock_guard lock{mutex};
            if (poison_.contains(std::string{event.type})) {
                error why{domain::domain_errc::behavior_failed, "cannot read"};
                why.log = "type " + std::string{event.type};
                return std::unexpected{names_position ? std::move(why).with("position", event.pos)
                                                      : std::move(why)};
            }
        }
        auto row = views.get(model_, event.stream);
        if (!row) return std::unexpected{row.error()};
        const auto n = *row ? std::stoll((*row)->json.substr(5)) : 0;
        if (auto ok =
                views.put(model_, event.stream, "{\"n\":" + std::to_string(n + 1) + "}", event.pos);
            !ok) {
            return ok;
        }
    }
    return {};
}

void counting::join() {
    if (thread_.joinable()) thread_.join();
}

projection_world::projection_world() : projection_world(quick()) {}

projection_world::projection_world(domain::projection_settings s) : settings{s} { restart(); }

projection_world::~projection_world() {
    runner->stop();
    base.stop();
}

domain::projection_settings projection_world::quick() {
    domain::projection_settings s;
    s.retry_delay = std::chrono::milliseconds{5};
    s.retry_delay_max = std::chrono::milliseconds{20};
    return s;
}

void projection_world::restart() {
    if (runner) runner->stop();
    runner = std::make_unique<domain::projection_runner>(settings, *base.store.log,
                                                         *base.store.views, *base.events, changes,
                                                         base.metrics, base.health);
}

domain::projection_spec projection_world::spec(std::uint32_t version) {
    domain::projection_spec made;
    made.name = "count";
    made.version = version;
    made.plugin = "test";
    made.batch_max = 10;
    made.models = {counts_model};
    return made;
}

std::shared_ptr<counting> projection_world::add(domain::projection_spec what) {
    auto behavior = std::make_shared<counting>(what.models.at(0).name);
    const auto added = runner->add(std::move(what), behavior);
    REQUIRE(added);
    return behavior;
}

store::position projection_world::write(int events, const std::string& stream,
                                        const std::string& type, const std::string& tenant) {
    const auto written =
        append(*base.store.log, stream,
               std::vector<event_texts::one>(static_cast<std::size_t>(events),
                                             {.type = type, .data = "{}", .tags = {}}),
               tenant);
    REQUIRE(written);
    return written->pos;
}

domain::projection_status projection_world::status(const std::string& name) const {
    auto found = runner->status(name);
    REQUIRE(found);
    return *found;
}

bool projection_world::reaches(store::position pos, const std::string& model) const {
    mailbox<bool> there;
    runner->when_reached({model}, pos, monotonic::now() + patience, there.receiver());
    return there.get();
}

bool projection_world::becomes(domain::projection_state wanted, const std::string& name) const {
    return eventually([&] { return status(name).state == wanted; });
}

long long projection_world::count(const std::string& stream, const std::string& tenant,
                                  const std::string& model) {
    auto reader = base.store.views->read();
    if (!reader) return -3;
    const auto row = (*reader)->get(tenant, model, stream);
    if (!row) return -2;
    return *row ? std::stoll((*row)->json.substr(5)) : -1;
}

}  // namespace flexcore::test
