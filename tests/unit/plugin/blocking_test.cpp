// Plugin code that does not return: what it may hold up, and what not.
#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <unistd.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

using namespace flexcore;
using namespace flexcore::plugin;
using namespace std::chrono_literals;
using flexcore::plugin::testing::eventually;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::pending;
using flexcore::plugin::testing::shipped;

namespace {

/// The plugins `blocks` and `blocks_alone` do not return while it is there.
class obstacle {
public:
    obstacle() { std::ofstream{path_} << "x"; }
    obstacle(const obstacle&) = delete;
    obstacle& operator=(const obstacle&) = delete;
    ~obstacle() { remove(); }
    void remove() const { std::filesystem::remove(path_); }
    [[nodiscard]] std::string path() const { return path_; }
    [[nodiscard]] std::string as(const char* member) const {
        return std::string{"{\""} + member + "\":\"" + path_ + "\"}";
    }

private:
    static std::string fresh() {
        static std::atomic<int> count{0};
        return (std::filesystem::temp_directory_path() /
                ("flexcore-obstacle-" + std::to_string(::getpid()) + "-" + std::to_string(++count)))
            .native();
    }
    const std::string path_ = fresh();
};

plugin_settings slow_to_give_up() {
    auto settings = house::quick();
    settings.call_timeout = 30s;
    settings.drain_timeout = 30s;
    settings.health_every = 1h;  // what is in flight is the tests' own
    return settings;
}

/// How often `blocks` is mapped; retired ones stay.
std::size_t mapped() {
    std::ifstream maps{"/proc/self/maps"};
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        if (line.contains("/memfd:blocks ")) ++count;
    return count;
}

/// Other plugins' commands are answered, soon.
bool others_work(house& in) {
    if (!in.host->status("counter")) must(in.load(shipped("counter")));
    return in.command("counter.increment", "others", "{}", 5s).has_value();
}

/// One call more that is inside and beyond its deadline. On a busy machine it may miss that before
/// it began, and then owes nothing.
void block_one(house& in, const std::string& plugin, const obstacle& by, std::uint64_t overdue) {
    REQUIRE(eventually([&] {
        CHECK(in.execute(plugin, by.path(), 50ms).error().code ==
              make_error_code(plugin_errc::timeout));
        return in.status(plugin).in_flight == overdue &&
               eventually([&] { return in.status(plugin).overdue == in.status(plugin).in_flight; });
    }));
}

}  // namespace

TEST_CASE("blocks: a decide that does not return gives its lane back at its deadline") {
    const obstacle gate;
    house in{slow_to_give_up()};
    must(in.load(misbehaving("blocks")));
    pending<bus::command_reply> stuck;
    bus::command first;
    first.type = "blocks.do";
    first.aggregate_id = "a";
    first.data = gate.as("file");
    first.until = monotonic::now() + 2s;
    in.commands.send(std::move(first), stuck.callback());
    REQUIRE(eventually([&] { return in.status("blocks").in_flight == 1; }));
    // Waits in the same lane already when the deadline comes, and nobody knocks after that.
    const auto second = in.command("blocks.do", "a", "{}", 20s);
    CHECK(stuck.get().error().code == make_error_code(bus::bus_errc::deadline_exceeded));
    REQUIRE(second.has_value());
    CHECK(second->ver == 1);
    // The lane and the plugin's host come to the deadline each by itself.
    CHECK(eventually([&] { return in.status("blocks").overdue == 1; }));
    gate.remove();
    REQUIRE(eventually([&] { return in.status("blocks").in_flight == 0; }));
    // What it decided in the end came too late.
    CHECK(in.command("blocks.do", "a", "{}")->ver == 2);
    must(in.host->unload("blocks"));
}

TEST_CASE("blocks: one call that does not return holds no other plugin up") {
    const obstacle gate;
    house in{slow_to_give_up()};
    must(in.load(misbehaving("blocks_alone")));
    block_one(in, "blocks_alone", gate, 1);
    // More than there are workers; each needs a state first, for which a worker has to wait.
    std::vector<pending<bus::command_reply>> waiting(8);
    for (std::size_t i = 0; i < waiting.size(); ++i)
        in.command_later("blocks_alone.do", std::to_string(i), "{}", waiting[i].callback());
    CHECK(others_work(in));
    for (auto& each : waiting) {
        const error refused = each.get().error();
        CHECK(refused.code == make_error_code(bus::bus_errc::busy));
        // They are for different aggregates, none of which has had a decision.
        CHECK(refused.client == "the plugin is occupied by another call");
    }
    gate.remove();
    REQUIRE(eventually([&] { return in.status("blocks_alone").in_flight == 0; }));
    CHECK(in.command("blocks_alone.do", "0", "{}").has_value());
}

TEST_CASE("one call at a time: more commands at once than there are workers are all answered") {
    house in;
    must(in.load(misbehaving("slow_handler")));
    // Each needs a state first, for which a worker waits, and then a call.
    std::vector<pending<bus::command_reply>> waiting(64);
    for (std::size_t i = 0; i < waiting.size(); ++i)
        in.command_later("slow.do", std::to_string(i), R"({"ms":1})", waiting[i].callback());
    for (auto& each : waiting) {
        const auto done = each.get();
        INFO((done ? "" : done.error().client));
        CHECK(done.has_value());
    }
}

TEST_CASE("blocks: a plugin whose calls do not return gets no more threads") {
    const obstacle gate;
    house in{slow_to_give_up()};
    must(in.load(misbehaving("blocks")));
    block_one(in, "blocks", gate, 1);
    block_one(in, "blocks", gate, 2);
    CHECK(in.execute("blocks", gate.path(), 50ms).error().code ==
          make_error_code(plugin_errc::busy));
    CHECK(in.command("blocks.do", "a", "{}").error().code == make_error_code(bus::bus_errc::busy));
    CHECK(others_work(in));
    gate.remove();
    REQUIRE(eventually([&] { return in.status("blocks").in_flight == 0; }));
    CHECK(in.execute("blocks", "").value() == "went on");
}

TEST_CASE("blocks: callers get their timeout when every worker is inside") {
    const obstacle gate;
    house in{slow_to_give_up()};
    must(in.load(misbehaving("blocks")));
    std::vector<pending<std::string>> answers(8);
    for (auto& each : answers)
        in.host->execute("blocks", {}, "text/plain", gate.path(), monotonic::now() + 300ms,
                         each.callback());
    for (auto& each : answers)
        CHECK(each.get().error().code == make_error_code(plugin_errc::timeout));
    gate.remove();
    CHECK(eventually([&] { return in.status("blocks").in_flight == 0; }));
    CHECK(in.execute("blocks", "").value() == "went on");
}

TEST_CASE("health: one that does not return is asked no second time and costs one thread") {
    const obstacle gate;
    auto settings = slow_to_give_up();
    settings.health_every = 20ms;
    house in{settings};
    must(in.load(misbehaving("blocks"), gate.as("health")));
    REQUIRE(eventually([&] { return in.status("blocks").health == telemetry::health::unhealthy; }));
    for (int i = 0; i < 20; ++i) {
        pending<telemetry::health_report> now;
        in.host->health("blocks", now.callback());
        CHECK(now.get()->state == telemetry::health::unhealthy);
    }
    CHECK(in.status("blocks").overdue == 1);
    CHECK(others_work(in));
    gate.remove();
    CHECK(eventually([&] { return in.status("blocks").health == telemetry::health::healthy; }));
}

TEST_CASE("load: one that hangs in create keeps another load waiting, not for ever") {
    const obstacle gate;
    house in;
    const auto before = mapped();
    auto hangs = std::async(std::launch::async,
                            [&] { return in.load(misbehaving("blocks"), gate.as("create")); });
    REQUIRE(eventually([&] { return mapped() > before; }));
    const auto other = in.load(shipped("counter"));
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == make_error_code(plugin_errc::busy));
    CHECK(in.host->unload("echo").error().code == make_error_code(plugin_errc::busy));
    gate.remove();
    must(hangs.get());
    must(in.load(shipped("counter")));
}

TEST_CASE("unload: a drain that waits for its turn does so on a thread of its own") {
    const obstacle call_gate;
    const obstacle drain_gate;
    house in{slow_to_give_up()};
    must(in.load(misbehaving("blocks_alone"), drain_gate.as("drain")));
    block_one(in, "blocks_alone", call_gate, 1);
    // All workers but the one inside the plugin.
    std::promise<void> over;
    const auto wait = over.get_future().share();
    for (int i = 0; i < 3; ++i) in.workers.post([wait] { wait.wait(); });
    auto gone = std::async(std::launch::async, [&] { return in.host->unload("blocks_alone"); });
    REQUIRE(eventually([&] { return in.status("blocks_alone").in_flight == 2; }));
    call_gate.remove();
    REQUIRE(eventually([&] { return in.status("blocks_alone").in_flight == 1; }));
    std::promise<void> ran;
    in.workers.post([&] { ran.set_value(); });
    CHECK(ran.get_future().wait_for(20s) == std::future_status::ready);
    over.set_value();
    drain_gate.remove();
    must(gone.get());
}

TEST_CASE("stop: several plugins that do not drain share the time of one") {
    auto settings = house::quick();
    settings.drain_timeout = 4s;
    house in{settings};
    must(in.load(misbehaving("drain_hangs")));
    must(in.load(misbehaving("never_completes")));
    CHECK(in.execute("never_completes", "x", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    REQUIRE(eventually([&] { return in.status("never_completes").overdue == 1; }));
    const auto began = monotonic::now();
    in.host->stop();
    CHECK(monotonic::now() - began < 7s);
}
