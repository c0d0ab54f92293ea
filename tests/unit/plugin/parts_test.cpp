#include "plugin/calls/call_table.hpp"
#include "plugin/calls/message.hpp"
#include "plugin/calls/metrics_service.hpp"
#include "plugin/calls/scan_json.hpp"
#include "plugin/calls/serial_gate.hpp"
#include "plugin/loading/memory_map.hpp"
#include "runtime/worker_pool.hpp"
#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <bit>

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>

using namespace flexcore;
using namespace flexcore::plugin;
using namespace std::chrono_literals;
using flexcore::plugin::testing::eventually;

TEST_CASE("call_table: a handle of an earlier call never finds the later one in its slot") {
    call_table table{4};
    call* const first = table.take(false);
    REQUIRE(first != nullptr);
    const fxc_call old = first->handle();
    CHECK(old != 0);
    table.retire(*first);
    table.give_back(*first);
    call* const second = table.take(false);
    REQUIRE(second == first);
    CHECK(second->handle() != old);
    CHECK(table.slot_of(old) == second);
    CHECK(static_cast<std::uint32_t>(old >> 32) != second->generation);
    CHECK(table.slot_of(0) == nullptr);
    CHECK(table.slot_of(99) == nullptr);
}

TEST_CASE("call_table: the generation skips zero when it wraps") {
    call_table table{1};
    call* const at = table.take(false);
    at->generation = 0xffff'ffffU;
    table.retire(*at);
    CHECK(at->generation == 1);
}

TEST_CASE("call_table: no more calls than there is room for, but for the lifecycle") {
    call_table table{3};
    std::vector<call*> taken;
    for (int i = 0; i < 3; ++i) taken.push_back(table.take(false));
    CHECK(std::ranges::find(taken, nullptr) == taken.end());
    CHECK(table.take(false) == nullptr);
    CHECK(table.take(true) != nullptr);
    CHECK(table.in_flight() == 4);
    table.retire(*taken[0]);
    table.give_back(*taken[0]);
    CHECK(table.take(false) == nullptr);  // the lifecycle's call counts
    table.retire(*taken[1]);
    table.give_back(*taken[1]);
    CHECK(table.take(false) != nullptr);
}

TEST_CASE("call_table: many threads never share a slot") {
    call_table table{200};
    std::atomic<int> shared{0};
    std::array<std::atomic<bool>, 256> used{};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                call* const at = table.take(false);
                if (at == nullptr) continue;
                if (used[at->index].exchange(true)) ++shared;
                used[at->index] = false;
                table.retire(*at);
                table.give_back(*at);
            }
        });
    for (auto& each : threads) each.join();
    CHECK(shared == 0);
    CHECK(table.in_flight() == 0);
}

TEST_CASE("serial_gate: one at a time, in order, and a waiter that gives up is forgotten") {
    runtime::worker_pool workers{"gate", 3};
    serial_gate gate{workers};
    REQUIRE(gate.try_enter());
    CHECK_FALSE(gate.try_enter());
    std::vector<int> order;
    std::atomic<int> ran{0};
    for (int i = 0; i < 5; ++i)
        gate.enter_later([&, i] {
            order.push_back(i);  // safe: the gate lets in one at a time
            ++ran;
            gate.leave();
        });
    CHECK_FALSE(gate.enter_until(monotonic::now() + 5ms));
    CHECK(ran == 0);
    gate.leave();
    REQUIRE(eventually([&] { return ran == 5; }));
    CHECK(gate.enter_until(monotonic::now() + 10s));
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
    gate.leave();
    workers.stop();
}

TEST_CASE("serial_gate: workers that wait are let in before work that needs one of them") {
    runtime::worker_pool workers{"gate", 2};
    serial_gate gate{workers};
    REQUIRE(gate.try_enter());
    std::atomic<int> ran{0};
    std::atomic<int> let_in{0};
    std::atomic<int> at_the_gate{0};
    gate.enter_later([&] {
        ++ran;
        gate.leave();
    });
    for (int i = 0; i < 2; ++i)
        workers.post([&] {
            ++at_the_gate;
            if (!gate.enter_until(monotonic::now() + 10s)) return;
            ++let_in;
            gate.leave();
        });
    REQUIRE(eventually([&] { return at_the_gate == 2; }));
    gate.leave();
    REQUIRE(eventually([&] { return ran == 1; }));
    CHECK(let_in == 2);
    workers.stop();
}

TEST_CASE("serial_gate: closed, it turns away who waits and drops what waits") {
    runtime::worker_pool workers{"gate", 2};
    serial_gate gate{workers};
    REQUIRE(gate.try_enter());
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = held;
    gate.enter_later([held = std::move(held)] {});
    std::atomic<bool> let_in{true};
    std::thread waits{[&] { let_in = gate.enter_until(no_deadline); }};
    std::this_thread::yield();
    gate.close();
    waits.join();
    CHECK_FALSE(let_in);
    CHECK(watched.expired());
    gate.leave();
    CHECK_FALSE(gate.try_enter());
    workers.stop();
}

TEST_CASE("memory_map: follows nothing that is not mapped, ends texts within their bound") {
    const long page = ::sysconf(_SC_PAGESIZE);
    auto* const two =
        static_cast<char*>(::mmap(nullptr, static_cast<std::size_t>(2 * page),
                                  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(two != MAP_FAILED);
    ::mprotect(two + page, static_cast<std::size_t>(page), PROT_NONE);
    std::memset(two, 'x', static_cast<std::size_t>(page));
    std::memcpy(two + 10, "end", 4);
    const auto map = memory_map::now();
    REQUIRE(map.has_value());
    CHECK(map->readable(two, static_cast<std::size_t>(page)));
    CHECK_FALSE(map->readable(two, static_cast<std::size_t>(page) + 1));
    CHECK_FALSE(map->readable(two + page, 1));
    CHECK_FALSE(map->readable(nullptr, 1));
    CHECK_FALSE(map->readable(std::bit_cast<const void*>(std::uintptr_t{8}), 1));
    CHECK(map->text(two + 10, 100) == "end");
    CHECK_FALSE(map->text(two + 10, 2).has_value());
    CHECK_FALSE(map->text(two + page - 5, 100).has_value());  // runs into the closed page
    CHECK_FALSE(map->executable(two));
    CHECK(map->executable(reinterpret_cast<const void*>(&::getpid)));
    ::munmap(two, static_cast<std::size_t>(2 * page));
}

TEST_CASE("scan_json: the whole language") {
    const auto query = parse_scan(
        R"({"where":{"units":{"ge":5,"lt":2.5},"sku":{"eq":"a\"b"},"gone":{"eq":null},"on":{"eq":true}},)"
        R"("order":["-units","sku"],"limit":7,"after":"cursor"})");
    REQUIRE(query.has_value());
    REQUIRE(query->where.size() == 5);
    CHECK(query->where[0].field == "units");
    CHECK(query->where[0].op == store::compare::ge);
    CHECK(std::get<std::int64_t>(query->where[0].value) == 5);
    CHECK(query->where[1].op == store::compare::lt);
    CHECK(std::get<double>(query->where[1].value) == 2.5);
    CHECK(std::get<std::string>(query->where[2].value) == "a\"b");
    CHECK(std::holds_alternative<std::nullptr_t>(query->where[3].value));
    CHECK(std::get<bool>(query->where[4].value));
    REQUIRE(query->order.size() == 2);
    CHECK(query->order[0].field == "units");
    CHECK(query->order[0].descending);
    CHECK_FALSE(query->order[1].descending);
    CHECK(query->limit == 7);
    CHECK(query->after == "cursor");
    CHECK(parse_scan("").has_value());
    CHECK(parse_scan("{}").has_value());
}

TEST_CASE("scan_json: what it does not know is refused") {
    const auto* const text = GENERATE(
        "[]", "{", R"({"limit":0})", R"({"limit":1001})", R"({"limit":1.5})", R"({"were":{}})",
        R"({"where":{"a":1}})", R"({"where":{"a":{"like":1}}})", R"({"where":{"a":{"eq":[1]}}})",
        R"({"order":"a"})", R"({"order":[1]})", R"({"order":["-"]})", R"({"after":1})",
        R"({"where":[]})", R"({"limit":1,"limit":2})");
    CAPTURE(text);
    CHECK_FALSE(parse_scan(text).has_value());
}

TEST_CASE("metrics: a plugin's series carry its name, are bounded, and never take another kind") {
    telemetry::metrics registry;
    metric_names names;
    metrics_service service{"my-plugin", registry, names};
    const auto define = [&](metrics_service& in, int kind, std::string_view name,
                            std::string_view unit = "") {
        return in.define(kind, view_of(name), view_of(unit), view_of("help"));
    };
    const auto counted = define(service, FXC_COUNTER, "orders");
    REQUIRE(counted != 0);
    CHECK(define(service, FXC_COUNTER, "orders") == counted);
    CHECK(define(service, FXC_GAUGE, "bad name") == 0);
    CHECK(define(service, 7, "kind") == 0);
    service.record(counted, 2, nullptr, 0);
    service.record(counted, -1, nullptr, 0);
    CHECK(registry.text().contains(
        R"(flexcore_plugin_my_plugin_orders_total{plugin="my-plugin"} 2)"));
    const auto took = define(service, FXC_HISTOGRAM, "took", "seconds");
    REQUIRE(took != 0);
    service.record(took, 0.1, nullptr, 0);
    CHECK(registry.text().contains("flexcore_plugin_my_plugin_took_seconds_bucket"));
    // Another plugin whose name looks the same in Prometheus.
    metrics_service other{"my_plugin", registry, names};
    CHECK(define(other, FXC_GAUGE, "orders_total") == 0);
    CHECK(define(other, FXC_COUNTER, "orders") != 0);

    const auto labelled = define(service, FXC_GAUGE, "labelled");
    for (int i = 0; i < 500; ++i) {
        const std::string value = std::to_string(i);
        const fxc_field field{view_of("which"), view_of(value)};
        service.record(labelled, i, &field, 1);
    }
    const std::string text = registry.text();
    std::size_t series = 0;
    for (std::size_t at = 0; (at = text.find("labelled{", at)) != std::string::npos; ++at) ++series;
    CHECK(series == metrics_service::series_max - 2);
    service.stop();
    service.record(counted, 5, nullptr, 0);
    CHECK(registry.text().contains(
        R"(flexcore_plugin_my_plugin_orders_total{plugin="my-plugin"} 2)"));
}

TEST_CASE("metrics: a plugin's name cannot lead into the host's own series or a histogram's") {
    telemetry::metrics registry;
    metric_names names;
    registry.counter_for("flexcore_plugin_calls_total", "Calls made to plugins", {{"plugin", "x"}});
    const auto define = [&](const char* plugin, int kind, std::string_view name) {
        metrics_service service{plugin, registry, names};
        const auto metric = service.define(kind, view_of(name), {}, view_of("help"));
        service.record(metric, 1, nullptr, 0);
        return metric != 0;
    };
    CHECK_FALSE(define("calls", FXC_COUNTER, "total"));
    CHECK_FALSE(define("in", FXC_GAUGE, "flight"));
    CHECK_FALSE(define("stale", FXC_COUNTER, "completions"));
    CHECK(define("calls", FXC_COUNTER, "others"));
    CHECK(define("p", FXC_HISTOGRAM, "size"));
    CHECK_FALSE(define("p", FXC_GAUGE, "size_count"));
    CHECK(define("p", FXC_GAUGE, "depth_sum"));
    CHECK_FALSE(define("p", FXC_HISTOGRAM, "depth"));
}
