#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <boost/json/parse.hpp>

#include <atomic>
#include <thread>

using namespace flexcore::test;

namespace {

std::int64_t value_of(const server& s, int id) {
    const auto answer =
        s.http("GET", fmt::format("/v1/queries/counter.value?id=c{}&min_position=200", id));
    REQUIRE(answer.status == 200);
    return boost::json::parse(answer.body).at("data").at("value").to_number<std::int64_t>();
}

}  // namespace

TEST_CASE(
    "cli: a backup beside a server under load holds what was acknowledged before, and serves it",
    "[sqlite]") {
    server s{{.plugins = {"counter"}}};
    const auto send = [&](int id) {
        return s.http(
            "POST", "/v1/commands",
            fmt::format(R"({{"type":"counter.increment","id":"c{}","data":{{"by":1}}}})", id));
    };
    for (int i = 0; i < 200; ++i) REQUIRE(send(i % 10).status == 200);
    std::atomic<bool> enough{false};
    std::atomic<int> failed{0};
    std::thread load{[&] {
        for (int i = 0; !enough; ++i)
            if (send(10 + i % 10).status != 200) ++failed;
    }};
    temp_folder place;
    const std::string copy = (place.path() / "copy").string();
    const auto done = cli({"backup", "--data", s.data().string(), "--to", copy});
    const auto again = cli({"backup", "--data", s.data().string(), "--to", copy});
    const auto as_json = cli({"backup", "--data", s.data().string(), "--to", copy + "2", "--json"});
    enough = true;
    load.join();
    INFO(done.out << done.err);
    CHECK(failed == 0);
    REQUIRE(done.code == 0);
    CHECK(contains(done.out, "is sound"));
    CHECK(again.code == 2);
    CHECK(contains(again.err, "is there already"));
    REQUIRE(as_json.code == 0);
    CHECK(boost::json::parse(as_json.out).at("events").to_number<int>() >= 200);

    server restored{{.plugins = {"counter"}, .data = copy}};
    for (int i = 0; i < 10; ++i) CHECK(value_of(restored, i) == 20);
    CHECK(cli({"verify", "--data", copy}).code == 0);
}

TEST_CASE("cli: a backup of nothing, or to nowhere, says so", "[sqlite]") {
    temp_folder place;
    const std::string folder = place.path().string();
    const auto nothing = cli({"backup", "--data", folder, "--to", folder + "/copy"});
    CHECK(nothing.code == 2);
    CHECK(contains(nothing.err, "is no data folder"));
    const auto no_target = cli({"backup", "--data", folder});
    CHECK(no_target.code == 2);
    CHECK(contains(no_target.err, "--to"));
}
