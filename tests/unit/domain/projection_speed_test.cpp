// Not run by default: figures, for a person. unit_domain "[speed]"
#include "unit/domain/counter_fixture.hpp"
#include "unit/domain/projection_fixture.hpp"

#include "bus/query_bus.hpp"

using namespace flexcore;
using namespace flexcore::test;

namespace {

/// Counts all events in one row per batch.
class totals final : public domain::projection_behavior {
public:
    void apply(std::string_view, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline,
               std::move_only_function<void(result<void>)> done) override {
        const auto row = views.get("counts", "all");
        const auto n = row && *row ? std::stoull((*row)->json.substr(5)) : 0;
        done(views.put("counts", "all", "{\"n\":" + std::to_string(n + events.size()) + "}",
                       events.back().pos));
    }
};

double per_second(std::size_t count, monotonic::time_point since) {
    return static_cast<double>(count) /
           std::chrono::duration<double>(monotonic::now() - since).count();
}

}  // namespace

TEST_CASE("speed: rebuild from 200,000 events", "[.][speed]") {
    projection_world w;
    store::position last = 0;
    for (int i = 0; i < 200; ++i) last = w.write(1'000, "s-" + std::to_string(i));
    auto spec = w.spec();
    spec.batch_max = 500;
    REQUIRE(w.runner->add(spec, std::make_shared<totals>()));
    const auto begun = monotonic::now();
    w.runner->start();
    REQUIRE(w.reaches(last));
    WARN("rebuild: " << per_second(last, begun) << " events/s");
}

TEST_CASE("speed: from append to a reached read model", "[.][speed]") {
    projection_world w;
    w.add();
    w.runner->start();
    std::vector<double> us;
    for (int i = 0; i < 2'000; ++i) {
        const auto pos = w.write(1);
        const auto begun = monotonic::now();
        REQUIRE(w.reaches(pos));
        us.push_back(std::chrono::duration<double, std::micro>(monotonic::now() - begun).count());
    }
    std::sort(us.begin(), us.end());
    WARN("propagation: p50 " << us[us.size() / 2] << " us, p95 " << us[us.size() * 95 / 100]
                             << " us");
}

TEST_CASE("speed: commands on one hot and on distinct aggregates", "[.][speed]") {
    for (const bool hot : {true, false}) {
        aggregate_world w;
        constexpr std::size_t commands = 100'000;
        std::atomic<std::size_t> answered{0};
        std::atomic<std::size_t> open{0};
        const auto begun = monotonic::now();
        for (std::size_t i = 0; i < commands; ++i) {
            (void)eventually([&] { return open.load() < 64; });
            open.fetch_add(1);
            w.runtime.execute(w.command("add", 1, hot ? "1" : std::to_string(i)),
                              [&](result<bus::command_reply>) {
                                  open.fetch_sub(1);
                                  answered.fetch_add(1);
                              });
        }
        REQUIRE(eventually([&] { return answered == commands; }));
        WARN((hot ? "one hot aggregate: " : "distinct aggregates: ")
             << per_second(commands, begun) << " commands/s");
    }
}

TEST_CASE("speed: cached queries", "[.][speed]") {
    projection_world w;
    w.add();
    w.runner->start();
    REQUIRE(w.reaches(w.write(1)));
    bus::allow_all everybody;
    class count_query final : public bus::query_handler {
    public:
        void handle(const bus::query&, bus::query_views& views,
                    std::move_only_function<void(result<std::string>)> done) override {
            const auto row = views.get("counts", "s-1");
            done(row && *row ? (*row)->json : "null");
        }
    };
    bus::query_bus queries{{},        *w.base.store.views, *w.runner,     w.changes,
                           everybody, w.base.workers,      w.base.timers, w.base.metrics};
    REQUIRE(queries.add({.name = "q.count",
                         .plugin = {},
                         .description = {},
                         .params_schema = {},
                         .reads = {"counts"}},
                        std::make_shared<count_query>()));
    constexpr std::size_t asked = 2'000'000;
    for (const int threads : {1, 2}) {
        std::vector<std::thread> all;
        const auto begun = monotonic::now();
        for (int t = 0; t < threads; ++t) {
            all.emplace_back([&] {
                std::size_t hits = 0;
                for (std::size_t i = 0; i < asked; ++i) {
                    bus::query q;
                    q.name = "q.count";
                    q.params = R"({"id":"1001"})";
                    queries.ask(std::move(q), [&](const auto& answer) { hits += answer ? 1 : 0; });
                }
            });
        }
        for (auto& thread : all) thread.join();
        WARN("cached queries, " << threads << " threads: "
                                << per_second(asked * static_cast<std::size_t>(threads), begun)
                                << "/s");
    }
    w.base.workers.stop();
}
