#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <fstream>
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

/// How many mappings of this process come from memory files with this name.
std::size_t mapped(std::string_view plugin) {
    std::ifstream maps{"/proc/self/maps"};
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        if (line.contains("/memfd:" + std::string{plugin} + " ")) ++count;
    return count;
}

plugin_settings patient() {
    auto settings = house::quick();
    settings.drain_timeout = 20s;
    return settings;
}

}  // namespace

TEST_CASE("unload: a hundred times in and out leaves nothing mapped and nothing registered") {
    house in{patient()};
    for (int i = 0; i < 100; ++i) {
        CAPTURE(i);
        must(in.load(shipped("counter")));
        must(in.load(shipped("echo")));
        const auto reply = in.command("counter.increment", "a", "{}");
        REQUIRE(reply.has_value());
        CHECK(reply->ver == static_cast<store::version>(i + 1));
        REQUIRE(in.execute("echo", "x").value() == "x");
        for (const auto* name : {"echo", "counter"}) {
            must(in.host->unload(name));
        }
        REQUIRE(mapped("counter") == 0);
        REQUIRE(mapped("echo") == 0);
    }
    CHECK(in.host->list().empty());
    CHECK(in.commands.catalogue().empty());
}

TEST_CASE("unload: under load every call is answered, none is lost") {
    house in{patient()};
    std::atomic<std::uint64_t> sent{0}, answered{0}, executed{0}, odd{0};
    const auto known = [](const error& e) {
        return e.code == make_error_code(bus::bus_errc::unknown_command) ||
               e.code == make_error_code(bus::bus_errc::unavailable) ||
               e.code == make_error_code(bus::bus_errc::busy) ||
               e.code == make_error_code(plugin_errc::not_found) ||
               e.code == make_error_code(plugin_errc::draining) ||
               e.code == make_error_code(plugin_errc::busy);
    };
    std::atomic<std::uint64_t> accepted{0};
    std::jthread clients{[&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            if (sent - answered > 200) {
                std::this_thread::yield();
                continue;
            }
            ++sent;
            in.command_later("counter.increment", std::to_string(sent % 7), R"({"by":1})",
                             [&](result<bus::command_reply> reply) {
                                 if (reply) ++accepted;
                                 if (!reply && !known(reply.error())) ++odd;
                                 ++answered;
                             });
            ++sent;
            in.host->execute("echo", {}, "text/plain", "hello", no_deadline,
                             [&](result<std::string> bytes) {
                                 if (bytes && *bytes == "hello") ++executed;
                                 if (!bytes && !known(bytes.error())) ++odd;
                                 ++answered;
                             });
        }
    }};
    for (int i = 0; i < 10; ++i) {
        must(in.load(shipped("counter")));
        must(in.load(shipped("echo")));
        const auto seen = executed.load();
        const auto counted = accepted.load();
        REQUIRE(eventually([&] { return executed > seen + 20 && accepted > counted + 20; }));
        for (const auto* name : {"counter", "echo"}) {
            must(in.host->unload(name));
        }
    }
    clients.request_stop();
    clients.join();
    CHECK(eventually([&] { return sent == answered; }));
    CHECK(odd == 0);
    CHECK(in.store.log->head() == accepted);
    CHECK(mapped("counter") == 0);
}

TEST_CASE("load and unload: by many at once, under load, each name is loaded once or not at all") {
    house in{patient()};
    const auto known = [](const error& e) {
        return e.code == make_error_code(plugin_errc::already_loaded) ||
               e.code == make_error_code(plugin_errc::not_found) ||
               e.code == make_error_code(plugin_errc::busy);
    };
    std::atomic<int> loaded{0}, unloaded{0}, odd{0};
    std::atomic<std::uint64_t> sent{0}, answered{0};
    std::jthread clients{[&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            if (sent - answered > 50) {
                std::this_thread::yield();
                continue;
            }
            sent += 3;
            in.command_later("counter.increment", "a", "{}",
                             [&](const result<bus::command_reply>&) { ++answered; });
            in.host->execute("echo", {}, "text/plain", "x", no_deadline,
                             [&](const result<std::string>&) { ++answered; });
            in.host->health("counter",
                            [&](const result<telemetry::health_report>&) { ++answered; });
        }
    }};
    {
        std::vector<std::jthread> operators;
        for (int t = 0; t < 4; ++t)
            operators.emplace_back([&, t] {
                const auto* const name = t % 2 == 0 ? "counter" : "echo";
                for (int i = 0; i < 25; ++i) {
                    if (const auto got = in.load(shipped(name))) {
                        ++loaded;
                    } else if (!known(got.error())) {
                        ++odd;
                    }
                    for (const auto& each : in.host->list())
                        if (each.name != "counter" && each.name != "echo") ++odd;
                    if (const auto gone = in.host->unload(name)) {
                        ++unloaded;
                    } else if (!known(gone.error())) {
                        ++odd;
                    }
                }
            });
    }
    clients.request_stop();
    clients.join();
    CHECK(odd == 0);
    CHECK(loaded > 2);
    CHECK(loaded == unloaded + static_cast<int>(in.host->list().size()));
    CHECK(eventually([&] { return sent == answered; }));
    in.host->stop();
    CHECK(mapped("counter") == 0);
    CHECK(mapped("echo") == 0);
}

TEST_CASE("unload: one without FXC_UNLOADABLE stays mapped, is listed as retired, loads again") {
    house in;
    must(in.load(misbehaving("slow_handler")));
    must(in.host->unload("slow_handler"));
    CHECK(in.status("slow_handler").state == "retired");
    CHECK(mapped("slow_handler") > 0);
    CHECK(in.execute("slow_handler", "0").error().code == make_error_code(plugin_errc::not_found));
    CHECK(in.host->unload("slow_handler").error().code == make_error_code(plugin_errc::not_found));
    CHECK(in.metrics.text().contains(R"(flexcore_plugin_retired{plugin="slow_handler"} 1)"));
    must(in.load(misbehaving("slow_handler")));
    CHECK(in.execute("slow_handler", "0").value() == "0");
    CHECK(in.status("slow_handler").state == "serving");
}

TEST_CASE("unload: one that claims FXC_UNLOADABLE and cannot leave is retired, not believed") {
    house in;
    must(in.load(misbehaving("stays_mapped")));
    CHECK(in.execute("stays_mapped", "x").value() == "x");
    must(in.host->unload("stays_mapped"));
    CHECK(in.status("stays_mapped").state == "retired");
    must(in.load(misbehaving("stays_mapped")));
    CHECK(in.execute("stays_mapped", "y").value() == "y");
}

TEST_CASE("unload: a thread left behind talks to a host that no longer listens") {
    house in;
    must(in.load(misbehaving("thread_left")));
    REQUIRE(in.execute("thread_left", "x", 50ms).error().code ==
            make_error_code(plugin_errc::timeout));
    REQUIRE(eventually([&] { return in.status("thread_left").in_flight == 0; }));
    must(in.host->unload("thread_left"));
    const auto before = in.status("thread_left").stale_completions;
    CHECK(eventually([&] { return in.status("thread_left").stale_completions > before + 10; }));
}

TEST_CASE("unload: a drain that hangs is reported and tried again, the plugin stays in draining") {
    house in;
    must(in.load(misbehaving("drain_hangs")));
    CHECK(in.execute("drain_hangs", "x").value() == "x");
    for (int i = 0; i < 2; ++i) {
        const auto gone = in.host->unload("drain_hangs");
        REQUIRE_FALSE(gone.has_value());
        CHECK(gone.error().code == make_error_code(plugin_errc::drain_timeout));
        CHECK(gone.error().client.contains("drain"));
        CHECK(in.status("drain_hangs").state == "draining");
    }
    CHECK(in.execute("drain_hangs", "x").error().code == make_error_code(plugin_errc::draining));
    CHECK(in.load(misbehaving("drain_hangs")).error().code ==
          make_error_code(plugin_errc::already_loaded));
}

TEST_CASE("unload: waits for a call that is running, then goes") {
    house in{patient()};
    must(in.load(misbehaving("slow_handler")));
    pending<std::string> slow;
    in.host->execute("slow_handler", {}, "text/plain", "300", monotonic::now() + 20s,
                     slow.callback());
    REQUIRE(eventually([&] { return in.status("slow_handler").in_flight == 1; }));
    must(in.host->unload("slow_handler"));
    CHECK(slow.get().value() == "300");
}

TEST_CASE("stop: unloads all, a plugin that does not drain is left behind, cut off") {
    house in;
    must(in.load(shipped("counter")));
    must(in.load(misbehaving("never_completes")));
    CHECK(in.execute("never_completes", "x", 50ms).error().code ==
          make_error_code(plugin_errc::timeout));
    in.host->stop();
    CHECK(in.load(shipped("echo")).error().code == make_error_code(plugin_errc::refused));
    CHECK(in.commands.catalogue().empty());
    CHECK_FALSE(in.host->status("counter").has_value());
    in.host->stop();
}

TEST_CASE("execute: a flood is answered call by call, never beyond what the plugin takes") {
    auto settings = house::quick();
    settings.in_flight_max = 64;
    house in{settings};
    must(in.load(shipped("echo")));
    constexpr int threads = 3;
    constexpr int calls = 5'000;
    std::atomic<int> well{0}, busy{0}, wrong{0};
    std::vector<std::thread> clients;
    for (int t = 0; t < threads; ++t)
        clients.emplace_back([&, t] {
            for (int i = 0; i < calls; ++i) {
                const std::string text = std::to_string(t) + ":" + std::to_string(i);
                in.host->execute(
                    "echo", {}, "text/plain", text, no_deadline,
                    [&, text](result<std::string> bytes) {
                        if (bytes) {
                            ++(*bytes == text ? well : wrong);
                        } else if (bytes.error().code == make_error_code(plugin_errc::busy)) {
                            ++busy;
                        } else {
                            ++wrong;
                        }
                    });
            }
        });
    for (auto& each : clients) each.join();
    CHECK(eventually([&] { return well + busy + wrong == threads * calls; }));
    CHECK(wrong == 0);
    CHECK(well > 0);
    CHECK(eventually([&] { return in.status("echo").in_flight == 0; }));
    CHECK(in.execute("echo", "after").value() == "after");
    CHECK(in.status("echo").failures == 0);
    CHECK(eventually([&] {
        return in.metrics.text().contains(R"(flexcore_plugin_in_flight{plugin="echo"} 0)");
    }));
}

TEST_CASE("execute: bytes of any kind go in and come out") {
    house in;
    must(in.load(shipped("echo")));
    CHECK(in.execute("echo", "").value().empty());
    const std::string zeros("\0\xff\x00 binary", 10);
    CHECK(in.execute("echo", zeros).value() == zeros);
    const std::string large(std::size_t{8} << 20, 'x');
    CHECK(in.execute("echo", large).value() == large);
}

TEST_CASE("execute: an answer beyond 64 MiB is refused, its memory goes back to the plugin") {
    house in;
    must(in.load(shipped("echo")));
    const auto answer = in.execute("echo", std::string((std::size_t{64} << 20) + 1, 'x'));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == make_error_code(plugin_errc::failed));
    CHECK(answer.error().log.contains("64 MiB"));
    CHECK(in.execute("echo", "next").value() == "next");
}
