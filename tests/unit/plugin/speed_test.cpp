// What one call costs; hidden, since a shared machine is no judge. Run: unit_plugin "[speed]"
#include "base/uuid.hpp"
#include "plugin/behaviors/aggregate.hpp"
#include "plugin/calls/instance.hpp"
#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <iostream>

using namespace flexcore;
using namespace flexcore::plugin;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::shipped;

TEST_CASE("speed: a counter's decide and evolve through the ABI", "[.][speed]") {
    runtime::worker_pool workers{"work", 2};
    runtime::timers timers;
    telemetry::metrics metrics;
    metric_names names;
    const auto settings = house::quick();
    auto file = library::load(shipped("counter"), settings.dirs);
    REQUIRE(file.has_value());
    auto brings = catalogue::parse(file->info());
    must(brings);
    const auto of =
        std::make_shared<instance>(*std::move(file), *std::move(brings),
                                   environment{workers, timers, metrics, names, settings});
    REQUIRE(of->create("{}").has_value());
    REQUIRE(of->start().has_value());
    {
        const auto behavior = make_aggregate(of, of->brings().aggregates.at(0));
        auto state = behavior->initial();
        REQUIRE(state.has_value());
        bus::accepted_command command;
        command.cmd.type = "counter.increment";
        command.cmd.data = R"({"by":1})";
        command.cmd.command_id = uuid_v7();
        command.cmd.until = monotonic::now() + std::chrono::minutes{5};
        command.category = "counter";
        command.stream = "counter-visits";
        constexpr int rounds = 200'000;
        std::size_t events = 0;
        const auto begun = monotonic::now();
        for (int i = 0; i < rounds; ++i)
            behavior->decide(**state, command, [&](result<domain::decision> decided) {
                if (decided) events += decided->events.size();
            });
        const auto took = monotonic::now() - begun;
        CHECK(events == rounds);
        std::cout << "decide: " << took.count() / rounds << " ns\n";

        store::recorded_event event;
        event.pos = event.ver = 1;
        event.stream = "counter-visits";
        event.type = "counter.incremented";
        event.data = R"({"by":1})";
        event.metadata = "{}";
        const auto folding = monotonic::now();
        for (int i = 0; i < rounds; ++i)
            REQUIRE(behavior->evolve(**state, {&event, 1}).has_value());
        std::cout << "evolve: " << (monotonic::now() - folding).count() / rounds << " ns\n";
    }
    of->close();
    REQUIRE(of->drain(monotonic::now() + std::chrono::seconds{10}).has_value());
    REQUIRE(of->wait_until_quiet(monotonic::now() + std::chrono::seconds{10}));
    of->destroy();
    CHECK(of->unmap());
    timers.stop();
    workers.stop();
}

TEST_CASE("speed: execute, one after the other and many at once", "[.][speed]") {
    house in;
    must(in.load(shipped("echo")));
    const std::string input(1024, 'x');
    constexpr int rounds = 50'000;
    std::atomic<int> done{0};
    const auto begun = monotonic::now();
    for (int i = 0; i < rounds; ++i) {
        while (i - done.load() > 500) std::this_thread::yield();
        in.host->execute("echo", {}, "text/plain", input, no_deadline,
                         [&](result<std::string>) { ++done; });
    }
    REQUIRE(testing::eventually([&] { return done == rounds; }));
    std::cout << "execute: " << (monotonic::now() - begun).count() / rounds << " ns\n";
}
