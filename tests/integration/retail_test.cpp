// What tools/run shows: the retail sample through the program's own client into a real server.
#include "program.hpp"
#include "support/server.hpp"

#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

using namespace flexcore::test;

namespace {

finished tool(const std::string& name, const std::string& word, const std::string& value = {}) {
    std::vector<std::string> args{"python3", FLEXCORE_SOURCE_DIR "/tools/" + name, word};
    if (!value.empty()) args.push_back(value);
    return run("/usr/bin/env", {std::move(args), {}, {}, {}});
}

}  // namespace

TEST_CASE("retail: every invoice is answered as the file alone says, also when sent again") {
    server s{{.plugins = {"orders"}}};
    const auto expected = boost::json::parse(tool("retail_commands.py", "expect").out);
    const auto send = [&](const char* what) {
        const auto made = tool("retail_commands.py", what);
        REQUIRE(made.code == 0);
        const auto sent = cli({"command", "send", "--file", "-", "--concurrency", "8",
                               "--allow-refused", "--json", "--url", s.url()},
                              made.out);
        INFO(sent.err);
        REQUIRE(sent.code == 0);
        return boost::json::parse(sent.out);
    };
    for (int round = 0; round < 2; ++round) {
        const auto placed = send("place");
        CHECK(placed.at("sent") == expected.at("commands"));
        CHECK(placed.at("accepted") == expected.at("accepted"));
        CHECK(placed.at("failed") == 0);
        for (const auto& [reason, count] : expected.at("refused").as_object())
            CHECK(placed.at("refused_by_reason").at(reason).at("count") == count);
        const auto settled = send("settle");
        CHECK(settled.at("refused") == 0);
        CHECK(settled.at("accepted").to_number<int>() ==
              expected.at("then_shipped").to_number<int>() +
                  expected.at("then_cancelled").to_number<int>());
    }
    // Accepted ones once each: sent twice, they count once.
    const auto head = s.http("GET", "/v1/events?direction=backward&limit=1").json();
    CHECK(head.at("items").at(0).at("position").to_number<int>() ==
          expected.at("accepted").to_number<int>() + expected.at("then_shipped").to_number<int>() +
              expected.at("then_cancelled").to_number<int>());
    const auto report = tool("retail_report.py", "--url", s.url());
    INFO(report.err);
    REQUIRE(report.code == 0);
    CHECK(contains(report.out, "80,995 units  £168,469.60   23843"));
    CHECK(contains(report.out, "23 orders, 1 of them cancelled, £418.42 without those"));
    CHECK(contains(report.out, "shipped, placed 2010-12-01 08:26:00, 40 units, £139.12"));
    CHECK(contains(report.out, "tracking RM536365GB"));
}
