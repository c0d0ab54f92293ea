// The order: decisions, refusals in their order, states.
#include "unit/orders/orders_fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace json = boost::json;
using flexcore::test::orders_fixture;
using flexcore::test::reason;

TEST_CASE_METHOD(orders_fixture, "place: the event carries the order and the customer's tag") {
    const auto placed = send("place", "1001", R"({"customer":"17850","country":"Norway",
        "placed_at":"2010-12-01T08:26:00Z","currency":"NOK","lines":[
        {"sku":"A","description":"an \"A\" ☃","quantity":2,"unit_price_minor":150},
        {"sku":"B","description":"","quantity":1,"unit_price_minor":1}]})");
    REQUIRE(placed.status == FXC_OK);
    CHECK(json::parse(placed.result) ==
          json::parse(R"({"status":"placed","units":3,"total_minor":301})"));
    REQUIRE(placed.events.size() == 1);
    CHECK(placed.events[0].type == "sales.order_placed");
    CHECK(placed.events[0].tags == std::vector<std::string>{"customer:17850"});
    CHECK(json::parse(placed.events[0].data) == json::parse(R"({"customer":"17850",
        "country":"Norway","placed_at":"2010-12-01T08:26:00Z","currency":"NOK","lines":[
        {"sku":"A","description":"an \"A\" ☃","quantity":2,"unit_price_minor":150},
        {"sku":"B","description":"","quantity":1,"unit_price_minor":1}]})"));
}

TEST_CASE_METHOD(orders_fixture, "place: an unknown customer is null and has no tag") {
    const auto placed = place("1001", "", line("A", 1, 1));
    REQUIRE(placed.events.size() == 1);
    CHECK(placed.events[0].tags.empty());
    const auto data = json::parse(placed.events[0].data);
    CHECK(data.at("customer").is_null());
    CHECK_FALSE(data.as_object().contains("placed_at"));
    CHECK(ship("1001").events.at(0).tags.empty());
}

TEST_CASE_METHOD(orders_fixture, "place: the first refusal that holds is the answer") {
    CHECK(reason(place("1", "c", "")) == "no_lines");
    CHECK(reason(place("1", "c", line("A", 0, 0))) == "quantity_not_positive");
    CHECK(reason(place("1", "c", line("A", -235, 0))) == "quantity_not_positive");
    CHECK(reason(place("1", "c", line("A", 1, 0) + "," + line("B", -1, 5))) ==
          "quantity_not_positive");
    CHECK(reason(place("1", "c", line("A", 1, 5) + "," + line("B", 1, 0))) == "price_missing");
    CHECK(reason(place("1", "c", line("A", 1, -5))) == "price_missing");
    CHECK(plugin.log.empty());

    REQUIRE(place("1", "c", line("A", 1, 1)).status == FXC_OK);
    CHECK(reason(place("1", "c", "")) == "order_already_placed");
    CHECK(reason(place("1", "c", line("A", 0, 0))) == "order_already_placed");
    CHECK(plugin.log.size() == 1);
}

TEST_CASE_METHOD(orders_fixture, "place: what the schema allows never overflows") {
    std::string lines;
    for (int i = 0; i < 10'000; ++i)
        lines += (i == 0 ? "" : ",") + line("A", 1'000'000'000, 1'000'000'000);
    CHECK(reason(place("1", "c", lines)) == "order_too_large");
    CHECK(reason(place("1", "c", line("A", 1'000'000, 1'000'000))).empty());
    CHECK(reason(place("2", "c", line("A", 1'000'000, 1'000'000) + "," + line("B", 1, 1))) ==
          "order_too_large");
}

TEST_CASE_METHOD(orders_fixture, "ship, cancel: only an order that is placed and still open") {
    CHECK(reason(ship("1")) == "order_not_found");
    CHECK(reason(cancel("1")) == "order_not_found");
    SECTION("shipped") {
        place("1", "c", line("A", 1, 1));
        const auto shipped = send("ship", "1", R"({"carrier":"Bring","tracking":"T-1"})");
        REQUIRE(shipped.events.size() == 1);
        CHECK(shipped.events[0].type == "sales.order_shipped");
        CHECK(json::parse(shipped.events[0].data) ==
              json::parse(R"({"carrier":"Bring","tracking":"T-1"})"));
        CHECK(shipped.events[0].tags == std::vector<std::string>{"customer:c"});
        CHECK(shipped.result == R"({"status":"shipped"})");
        CHECK(reason(ship("1")) == "order_already_shipped");
        CHECK(reason(cancel("1")) == "order_already_shipped");
        CHECK(reason(place("1", "c", "")) == "order_already_placed");
    }
    SECTION("cancelled") {
        place("1", "c", line("A", 1, 1));
        const auto cancelled = cancel("1");
        REQUIRE(cancelled.events.size() == 1);
        CHECK(cancelled.events[0].type == "sales.order_cancelled");
        CHECK(cancelled.events[0].data == R"({"reason":"regret"})");
        CHECK(cancelled.events[0].tags == std::vector<std::string>{"customer:c"});
        CHECK(cancelled.result == R"({"status":"cancelled"})");
        CHECK(reason(ship("1")) == "order_already_cancelled");
        CHECK(reason(cancel("1")) == "order_already_cancelled");
        CHECK(reason(place("1", "c", line("A", 1, 1))) == "order_already_placed");
    }
}

TEST_CASE_METHOD(orders_fixture, "state: a snapshot says all that the events did") {
    CHECK(json::parse(plugin.snapshot_of("sales.order", "1")) ==
          json::parse(R"({"status":"none"})"));
    place("1", "17850", line("A", 1, 1));
    const auto placed = plugin.snapshot_of("sales.order", "1");
    CHECK(json::parse(placed) == json::parse(R"({"status":"placed","customer":"17850"})"));
    CHECK(plugin.snapshot_of("sales.order", "1", placed) == placed);
    ship("1");
    CHECK(json::parse(plugin.snapshot_of("sales.order", "1")).at("status") == "shipped");
    CHECK_THROWS(plugin.snapshot_of("sales.order", "1", R"({"status":"lost"})"));
    CHECK_THROWS(plugin.snapshot_of("sales.order", "1", "no json"));
}

TEST_CASE_METHOD(orders_fixture,
                 "state: unknown events are passed over, broken ones are an error") {
    plugin.append("sales.order-1", "sales.order_framed", "[1,2]");
    CHECK(plugin.fold_error("sales.order", "1").empty());
    plugin.append("sales.order-1", "sales.order_placed", "[1,2]");
    CHECK_FALSE(plugin.fold_error("sales.order", "1").empty());
}

TEST_CASE_METHOD(orders_fixture, "catalogue: names every command, event, read model and query") {
    const auto catalogue = json::parse(plugin.info().catalogue);
    const auto& order = catalogue.at("aggregates").at(0);
    CHECK(order.at("category") == "sales.order");
    const auto names = [](const json::value& list, const char* member) {
        std::vector<std::string> out;
        for (const auto& each : list.as_array()) {
            out.emplace_back(each.at(member).as_string());
            CHECK(each.as_object().contains("description"));
        }
        return out;
    };
    CHECK(names(order.at("commands"), "type") ==
          std::vector<std::string>{"sales.place_order", "sales.ship_order", "sales.cancel_order"});
    CHECK(names(order.at("events"), "type") == std::vector<std::string>{"sales.order_placed",
                                                                        "sales.order_shipped",
                                                                        "sales.order_cancelled"});
    CHECK(names(catalogue.at("read_models"), "name") ==
          std::vector<std::string>{"orders", "customers", "products"});
    CHECK(names(catalogue.at("queries"), "name") ==
          std::vector<std::string>{"sales.order", "sales.customer", "sales.top_products"});
    for (const auto* list : {"commands", "events"})
        for (const auto& each : order.at(list).as_array())
            CHECK(each.at("schema").at("additionalProperties") == false);
}
