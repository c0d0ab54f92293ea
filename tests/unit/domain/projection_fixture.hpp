// Projections for tests: rows that count events per stream, in a world of the memory store.
#pragma once

#include "bus/change_counters.hpp"
#include "domain/projection_runner.hpp"
#include "unit/bus/fixture.hpp"

#include <atomic>
#include <set>

namespace flexcore::test {

inline const store::model_spec counts_model{.name = "counts", .indexed = {"n"}};

/// Counts the events of each stream in model "counts": {"n":count,"last":position}.
/// An event of a type in `poison` fails the batch.
class counting final : public domain::projection_behavior {
public:
    enum class way { inside, other_thread, joined, never, dropped };

    explicit counting(std::string model = "counts") : model_{std::move(model)} {}
    ~counting() override { join(); }

    void apply(std::string_view tenant, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline,
               std::move_only_function<void(result<void>)> done) override {
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

    void poison(std::set<std::string> types) {
        const std::lock_guard lock{mutex};
        poison_ = std::move(types);
    }

    std::atomic<way> how{way::inside};
    std::atomic<bool> names_position{false};
    std::atomic<int> applies{0};
    std::atomic<int> mixed_tenants{0};
    std::mutex mutex;
    std::vector<std::move_only_function<void(result<void>)>> kept;
    domain::projection_views* late_views = nullptr;

private:
    result<void> count(std::span<const store::recorded_event> events,
                       domain::projection_views& views) {
        for (const auto& event : events) {
            {
                const std::lock_guard lock{mutex};
                if (poison_.contains(std::string{event.type})) {
                    error why{domain::domain_errc::behavior_failed, "cannot read"};
                    why.log = "type " + std::string{event.type};
                    return std::unexpected{names_position
                                               ? std::move(why).with("position", event.pos)
                                               : std::move(why)};
                }
            }
            auto row = views.get(model_, event.stream);
            if (!row) return std::unexpected{row.error()};
            const auto n = *row ? std::stoll((*row)->json.substr(5)) : 0;
            if (auto ok = views.put(model_, event.stream, "{\"n\":" + std::to_string(n + 1) + "}",
                                    event.pos);
                !ok) {
                return ok;
            }
        }
        return {};
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }

    const std::string model_;
    std::set<std::string> poison_;
    std::thread thread_;
};

struct projection_world {
    world base;
    bus::change_counters changes;
    domain::projection_settings settings;
    std::unique_ptr<domain::projection_runner> runner;

    projection_world() : projection_world(quick()) {}
    explicit projection_world(domain::projection_settings s) : settings{s} { restart(); }
    ~projection_world() {
        runner->stop();
        base.stop();
    }

    [[nodiscard]] static domain::projection_settings quick() {
        domain::projection_settings s;
        s.retry_delay = std::chrono::milliseconds{5};
        s.retry_delay_max = std::chrono::milliseconds{20};
        return s;
    }
    /// As after a start of the process: the stores are what they were.
    void restart() {
        if (runner) runner->stop();
        runner = std::make_unique<domain::projection_runner>(settings, *base.store.log,
                                                             *base.store.views, *base.events,
                                                             changes, base.metrics, base.health);
    }

    [[nodiscard]] static domain::projection_spec spec(std::uint32_t version = 1) {
        domain::projection_spec made;
        made.name = "count";
        made.version = version;
        made.plugin = "test";
        made.batch_max = 10;
        made.models = {counts_model};
        return made;
    }
    std::shared_ptr<counting> add(domain::projection_spec what = spec()) {
        auto behavior = std::make_shared<counting>(what.models.at(0).name);
        REQUIRE(runner->add(std::move(what), behavior));
        return behavior;
    }
    store::position write(int events, const std::string& stream = "s-1",
                          const std::string& type = "t.happened",
                          const std::string& tenant = "default") {
        const auto written =
            append(*base.store.log, stream,
                   std::vector<event_texts::one>(static_cast<std::size_t>(events),
                                                 {.type = type, .data = "{}", .tags = {}}),
                   tenant);
        REQUIRE(written);
        return written->pos;
    }
    [[nodiscard]] domain::projection_status status(const std::string& name = "count") const {
        auto found = runner->status(name);
        REQUIRE(found);
        return *found;
    }
    [[nodiscard]] bool reaches(store::position pos, const std::string& model = "counts") const {
        mailbox<bool> there;
        runner->when_reached({model}, pos, monotonic::now() + patience, there.receiver());
        return there.get();
    }
    [[nodiscard]] bool becomes(domain::projection_state wanted,
                               const std::string& name = "count") const {
        return eventually([&] { return status(name).state == wanted; });
    }
    /// [any thread] -1: no such row; -2: no such model; -3: nothing can be read.
    [[nodiscard]] long long count(const std::string& stream = "s-1",
                                  const std::string& tenant = "default",
                                  const std::string& model = "counts") {
        auto reader = base.store.views->read();
        if (!reader) return -3;
        const auto row = (*reader)->get(tenant, model, stream);
        if (!row) return -2;
        return *row ? std::stoll((*row)->json.substr(5)) : -1;
    }
};

}  // namespace flexcore::test
