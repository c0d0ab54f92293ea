// The counter plugin, as built, on a fake host.
#include "unit/sdk/loaded_plugin.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using flexcore::test::loaded_plugin;

namespace {

struct counter_fixture {
    loaded_plugin plugin{std::filesystem::path{FLEXCORE_BINARY_DIR} / "plugins/counter.so"};
    counter_fixture() { plugin.host.models["counters"]; }

    auto increment(std::string_view id, std::string_view data) {
        return plugin.send("counter", id, "counter.increment", data);
    }
};

}  // namespace

TEST_CASE_METHOD(counter_fixture, "counter: an increment is an event and answers the new value") {
    const auto first = increment("a", R"({"by":5})");
    CHECK(first.result == R"({"value":5})");
    REQUIRE(first.events.size() == 1);
    CHECK(first.events[0].type == "counter.incremented");
    CHECK(first.events[0].data == R"({"by":5})");
    CHECK(increment("a", R"({"by":2.0})").result == R"({"value":7})");
    CHECK(increment("a", "{}").result == R"({"value":8})");
    CHECK(increment("b", "{}").result == R"({"value":1})");
    CHECK(plugin.snapshot_of("counter", "a") == "8");
    CHECK(plugin.snapshot_of("counter", "a", "41") == "41");
}

TEST_CASE_METHOD(counter_fixture, "counter: the read model and the query follow") {
    increment("a", R"({"by":5})");
    increment("b", R"({"by":1})");
    increment("a", R"({"by":6})");
    REQUIRE(plugin.project("counters", 2).status == FXC_OK);
    CHECK(plugin.ask("counter.value", R"({"id":"a"})").result == R"({"value":11})");
    CHECK(plugin.ask("counter.value", R"({"id":"b"})").result == R"({"value":1})");
    CHECK(plugin.ask("counter.value", R"({"id":"c"})").status == FXC_NOT_FOUND);
    CHECK(plugin.host.models["counters"]["a"].position == 3);
}

TEST_CASE_METHOD(counter_fixture, "counter: nothing overflows") {
    plugin.append("counter-a", "counter.incremented", R"({"by":1000000000000000})");
    const auto full = increment("a", R"({"by":1})");
    CHECK(full.status == FXC_REJECTED);
    CHECK(full.problem == R"({"reason":"counter_full"})");

    plugin.append("counter-b", "counter.incremented", R"({"by":-1})");
    CHECK_FALSE(plugin.fold_error("counter", "b").empty());
    const auto stopped = plugin.project("counters");
    CHECK(stopped.status == FXC_INTERNAL);
    CHECK(stopped.problem == R"({"position":2})");
}
