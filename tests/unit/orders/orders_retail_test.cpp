// The retail sample through tools/retail_commands.py and the plugin: the counts that the script and
// the demonstration's README promise are those that the aggregate gives.
#include "unit/orders/orders_fixture.hpp"

#include <catch2/catch.hpp>

#include <cstdio>
#include <map>
#include <sstream>
#include <string>

namespace json = boost::json;
using flexcore::test::orders_fixture;
using flexcore::test::reason;

namespace {

std::string retail(const std::string& what) {
    const auto command = "python3 '" FLEXCORE_SOURCE_DIR "/tools/retail_commands.py' " + what;
    auto* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string out;
    char piece[65536];
    while (const auto size = std::fread(piece, 1, sizeof piece, pipe)) out.append(piece, size);
    REQUIRE(pclose(pipe) == 0);
    return out;
}

std::map<std::string, int> send_all(orders_fixture& orders, const std::string& ndjson) {
    std::map<std::string, int> answers;
    std::istringstream lines{ndjson};
    for (std::string text; std::getline(lines, text);) {
        const auto command = json::parse(text).as_object();
        const auto answer =
            orders.plugin.send("sales.order", command.at("id").as_string(),
                               command.at("type").as_string(), json::serialize(command.at("data")));
        ++answers[answer.status == FXC_OK ? std::string{command.at("type").as_string()}
                                          : reason(answer)];
    }
    return answers;
}

}  // namespace

TEST_CASE("retail sample: every invoice is accepted or refused as promised") {
    orders_fixture orders;
    const auto answers = send_all(orders, retail("place"));
    CHECK(answers == std::map<std::string, int>{{"sales.place_order", 1431},
                                                {"order_not_found", 44},
                                                {"quantity_not_positive", 462},
                                                {"price_missing", 156}});
    const auto settled = send_all(orders, retail("settle"));
    CHECK(settled ==
          std::map<std::string, int>{{"sales.ship_order", 429}, {"sales.cancel_order", 143}});

    CHECK(json::parse(retail("expect")) == json::parse(R"({"commands":2093,"accepted":1431,
        "refused":{"order_not_found":44,"price_missing":156,"quantity_not_positive":462},
        "then_shipped":429,"then_cancelled":143})"));

    REQUIRE(orders.plugin.project("orders").status == FXC_OK);
    CHECK(orders.plugin.host.models["orders"].size() == 1431);
    const auto top = orders.ask("sales.top_products", R"({"limit":5})").as_array();
    REQUIRE(top.size() == 5);
    for (std::size_t i = 1; i < top.size(); ++i)
        CHECK(top[i - 1].at("units").as_int64() >= top[i].at("units").as_int64());
}

TEST_CASE("retail sample: command ids are fixed and no two alike") {
    std::map<std::string, int> ids;
    for (const auto* part : {"place", "settle"}) {
        std::istringstream lines{retail(part)};
        for (std::string text; std::getline(lines, text);)
            ++ids[std::string{json::parse(text).at("command_id").as_string()}];
    }
    CHECK(ids.size() == 2093 + 429 + 143);
    CHECK(retail("settle") == retail("settle"));
}
