#include "unit/plugin/house.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace flexcore;
using namespace flexcore::plugin;
using flexcore::plugin::testing::eventually;
using flexcore::plugin::testing::house;
using flexcore::plugin::testing::misbehaving;
using flexcore::plugin::testing::must;
using flexcore::plugin::testing::shipped;

TEST_CASE("counter: command, event, read model and query go the whole way") {
    house in;
    must(in.load(shipped("counter")));
    const auto first = in.command("counter.increment", "visits", R"({"by":2})");
    REQUIRE(first.has_value());
    CHECK(first->result == R"({"value":2})");
    CHECK(first->stream == "counter-visits");
    CHECK(first->ver == 1);
    REQUIRE(first->events.size() == 1);
    CHECK(first->events[0].type == "counter.incremented");
    const auto second = in.command("counter.increment", "visits", R"({"by":40})");
    REQUIRE(second.has_value());
    CHECK(in.query("counter.value", R"({"id":"visits"})", second->pos).value() ==
          R"({"value":42})");
    const auto absent = in.query("counter.value", R"({"id":"nobody"})");
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().code == make_error_code(bus::bus_errc::not_found));
}

TEST_CASE("counter: a command that breaks its schema never reaches the plugin") {
    house in;
    must(in.load(shipped("counter")));
    const auto before = in.status("counter").calls;
    const auto refused = in.command("counter.increment", "a", R"({"by":0})");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == make_error_code(bus::bus_errc::validation_failed));
    CHECK(in.status("counter").calls >= before);
    CHECK(in.events_in_log() == 0);
}

TEST_CASE("counter: many commands at once on few counters, each counted once") {
    house in;
    must(in.load(shipped("counter")));
    constexpr int commands = 2'000;
    std::atomic<int> answered{0};
    std::atomic<int> failed{0};
    for (int i = 0; i < commands; ++i)
        in.command_later("counter.increment", std::to_string(i % 10), R"({"by":1})",
                         [&](result<bus::command_reply> reply) {
                             if (!reply) ++failed;
                             ++answered;
                         });
    REQUIRE(eventually([&] { return answered == commands; }));
    CHECK(failed == 0);
    const auto head = in.store.log->head();
    CHECK(head == commands);
    for (int i = 0; i < 10; ++i)
        CHECK(in.query("counter.value", R"({"id":")" + std::to_string(i) + R"("})", head).value() ==
              R"({"value":200})");
}

TEST_CASE("bytes: a plugin in C keeps its state as bytes, rejects with its own members") {
    house in;
    must(in.load(misbehaving("plain_c")));
    CHECK(in.command("plain.add", "a", R"({"by":3})")->result == R"({"total":3})");
    CHECK(in.command("plain.add", "a", R"({"by":4})")->result == R"({"total":7})");
    const auto refused = in.command("plain.add", "a", R"({"by":10})");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == make_error_code(bus::bus_errc::command_rejected));
    REQUIRE(refused.error().members);
    CHECK(refused.error().members->at("reason") == "too_much");
    CHECK(refused.error().members->contains("limit"));
    CHECK(in.execute("plain_c", "bytes").value() == "bytes");
}

TEST_CASE("unload: a state that was cached is rebuilt from the log by the next generation") {
    const auto* const name = GENERATE("counter", "plain_c");
    const bool counter = std::string_view{name} == "counter";
    house in;
    const auto path = counter ? shipped(name) : misbehaving(name);
    const auto add = [&] {
        return counter ? in.command("counter.increment", "a", R"({"by":5})")
                       : in.command("plain.add", "a", R"({"by":5})");
    };
    must(in.load(path));
    REQUIRE(add().has_value());
    must(in.host->unload(name));
    CHECK(add().error().code == make_error_code(bus::bus_errc::unknown_command));
    must(in.load(path));
    CHECK(add()->result.contains("10"));
}
