// orders, customers, products: what the rows say, that a cancelled order is taken back, and that
// batches make no difference.
#include "unit/orders/orders_fixture.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <string>

namespace json = boost::json;
using flexcore::test::orders_fixture;

TEST_CASE_METHOD(orders_fixture, "orders: the row tells the order and what happened to it") {
    plugin.now_unix_us = 1'291'191'960'000'007;
    place("1001", "17850", line("A", 2, 150) + "," + line("A", 1, 140));
    send("ship", "1001", R"({"carrier":"Bring","tracking":"T-1"})");
    REQUIRE(plugin.project("orders").status == FXC_OK);
    CHECK(ask("sales.order", R"({"id":"1001"})") == json::parse(R"({
        "id":"1001","status":"shipped","customer":"17850","country":"Norway","currency":"NOK",
        "placed_at":"2010-12-01T08:26:00.000007Z","units":3,"total_minor":440,
        "carrier":"Bring","tracking":"T-1","reason":null,
        "lines":[{"sku":"A","description":"thing","quantity":2,"unit_price_minor":150},
                 {"sku":"A","description":"thing","quantity":1,"unit_price_minor":140}],
        "history":[
            {"type":"sales.order_placed","at":"2010-12-01T08:26:00.000007Z","version":1},
            {"type":"sales.order_shipped","at":"2010-12-01T08:26:00.000008Z","version":2}]})"));
    CHECK(plugin.host.models["orders"]["1001"].position == 2);
    CHECK(plugin.ask("sales.order", R"({"id":"1002"})").status == FXC_NOT_FOUND);
}

TEST_CASE_METHOD(orders_fixture, "orders: a given time of placing is kept as it is") {
    send("place", "1",
         R"({"customer":null,"country":"Norway","placed_at":"2010-12-01T08:26:00+01:00",
         "currency":"NOK","lines":[)" +
             line("A", 1, 1) + "]}");
    plugin.project("orders");
    CHECK(row("orders", "1").at("placed_at") == "2010-12-01T08:26:00+01:00");
    CHECK(row("orders", "1").at("customer").is_null());
}

TEST_CASE_METHOD(orders_fixture,
                 "orders: the event keeps the command's bytes, rows have plain integers") {
    const std::string data = R"({ "customer":null,"country":"Norway","currency":"NOK","lines":[
        {"sku":"A","description":"a","quantity":2.0,"unit_price_minor":15e1}]})";
    CHECK(send("place", "1", data).events.at(0).data == data);
    REQUIRE(plugin.project("orders").status == FXC_OK);
    CHECK(plugin.host.models["orders"]["1"].json.find(R"("quantity":2,"unit_price_minor":150}])") !=
          std::string::npos);
    CHECK(row("orders", "1").at("total_minor") == 300);
}

TEST_CASE_METHOD(orders_fixture, "customers: orders, cancelled ones, revenue without those") {
    place("1", "c", line("A", 2, 100));
    place("2", "c", line("A", 1, 50));
    place("3", "d", line("A", 1, 7));
    place("4", "", line("A", 1, 1'000));
    cancel("1");
    cancel("3");
    REQUIRE(plugin.project("orders").status == FXC_OK);
    CHECK(ask("sales.customer", R"({"id":"c"})") ==
          json::parse(R"({"orders":2,"cancelled":1,"revenue_minor":50})"));
    CHECK(ask("sales.customer", R"({"id":"d"})") ==
          json::parse(R"({"orders":1,"cancelled":1,"revenue_minor":0})"));
    CHECK(plugin.host.models["customers"].size() == 2);
    CHECK(plugin.ask("sales.customer", R"({"id":"e"})").status == FXC_NOT_FOUND);
    CHECK(plugin.host.models["customers"]["c"].position == 5);
    CHECK(row("orders", "1").at("status") == "cancelled");
    CHECK(row("orders", "1").at("reason") == "regret");
}

TEST_CASE_METHOD(orders_fixture, "products: by units, then sku, cancelled orders do not count") {
    place("1", "c",
          line("B", 2, 100, "bee") + "," + line("A", 1, 10, "ay") + "," + line("B", 3, 90, "bee!"));
    place("2", "c", line("C", 5, 1, "sea"));
    place("3", "c", line("D", 9, 1, "dee") + "," + line("B", 100, 1, ""));
    cancel("3");
    REQUIRE(plugin.project("orders").status == FXC_OK);
    CHECK(ask("sales.top_products", "{}") == json::parse(R"([
        {"sku":"B","description":"bee!","units":5,"revenue_minor":470},
        {"sku":"C","description":"sea","units":5,"revenue_minor":5},
        {"sku":"A","description":"ay","units":1,"revenue_minor":10}])"));
    CHECK(ask("sales.top_products", R"({"limit":1})").as_array().size() == 1);
    CHECK(row("products", "D").is_null());
}

TEST_CASE_METHOD(orders_fixture,
                 "rows: what was appended past the aggregate changes nothing twice") {
    place("1", "c", line("A", 2, 100));
    plugin.append("sales.order-1", "sales.order_placed",
                  R"({"customer":"c","country":"X","currency":"NOK","lines":[]})");
    plugin.append("sales.order-2", "sales.order_cancelled", R"({"reason":"never was"})");
    cancel("1");
    plugin.append("sales.order-1", "sales.order_cancelled", R"({"reason":"again"})");
    plugin.append("sales.order-1", "sales.order_shipped", R"({"carrier":"late"})");
    REQUIRE(plugin.project("orders").status == FXC_OK);
    CHECK(row("orders", "1").at("reason") == "regret");
    CHECK(row("orders", "1").at("carrier").is_null());
    CHECK(row("orders", "1").at("history").as_array().size() == 2);
    CHECK(ask("sales.customer", R"({"id":"c"})") ==
          json::parse(R"({"orders":1,"cancelled":1,"revenue_minor":0})"));
    CHECK(row("orders", "2").is_null());
}

TEST_CASE_METHOD(orders_fixture, "rows: a broken event stops the projection and is named") {
    place("1", "c", line("A", 2, 100));
    plugin.append("sales.order-9", "sales.order_placed", R"({"customer":"c"})");
    const auto stopped = plugin.project("orders");
    CHECK(stopped.status == FXC_INTERNAL);
    CHECK(stopped.problem == R"({"position":2})");
    CHECK(plugin.host.row_writes == 0);

    orders_fixture other;
    other.plugin.append("sales.order-1", "sales.order_placed",
                        R"({"customer":"c","country":"X","currency":"NOK","lines":[)" +
                            line("A", 9'000'000'000'000'000'000, 2) + "]}");
    CHECK(other.plugin.project("orders").message.find("64 bits") != std::string::npos);
}

TEST_CASE("rows: equal to a fold of the log, whatever the size of the batches") {
    std::mt19937 random{20101201};
    const auto any = [&random](int below) { return static_cast<int>(random() % unsigned(below)); };
    std::vector<std::vector<std::string>> commands;
    for (int i = 0; i < 600; ++i) {
        const auto id = std::to_string(any(150));
        const auto kind = any(4);
        if (kind == 0) commands.push_back({"cancel", id, R"({"reason":"r"})"});
        if (kind == 1) commands.push_back({"ship", id, R"({"carrier":"c"})"});
        if (kind < 2) continue;
        std::string lines;
        for (int n = 1 + any(4); n > 0; --n)
            lines += (lines.empty() ? "" : ",") +
                     orders_fixture::line("S" + std::to_string(any(12)), 1 + any(9), 1 + any(500),
                                          "d" + std::to_string(any(3)));
        const auto customer = any(8);
        commands.push_back({"place", id,
                            R"({"customer":)" +
                                (customer == 0 ? "null" : "\"c" + std::to_string(customer) + "\"") +
                                R"(,"country":"X","currency":"GBP","lines":[)" + lines + "]}"});
    }

    std::map<std::string, std::map<std::string, std::string>> first;
    for (const std::size_t batch : {1u, 2u, 7u, 500u}) {
        orders_fixture on;
        std::map<std::string, json::value> open;
        std::map<std::string, std::int64_t> units, revenue;
        for (const auto& each : commands) {
            const auto answer = on.send(each[0], each[1], each[2]);
            if (answer.status != FXC_OK) continue;
            if (each[0] == "place") open[each[1]] = json::parse(each[2]);
            if (each[0] == "cancel") open.erase(each[1]);
        }
        REQUIRE(on.plugin.project("orders", batch).status == FXC_OK);

        for (const auto& [id, order] : open)
            for (const auto& each : order.at("lines").as_array()) {
                const std::string sku{each.at("sku").as_string()};
                const auto quantity = each.at("quantity").to_number<std::int64_t>();
                const auto worth = quantity * each.at("unit_price_minor").to_number<std::int64_t>();
                units[sku] += quantity;
                revenue[sku] += worth;
                if (order.at("customer").is_string())
                    revenue["of " + std::string{order.at("customer").as_string()}] += worth;
            }
        CHECK(on.plugin.host.models["products"].size() == units.size());
        for (const auto& [sku, count] : units) {
            CHECK(on.row("products", sku).at("units") == count);
            CHECK(on.row("products", sku).at("revenue_minor") == revenue[sku]);
        }
        for (const auto& [key, row] : on.plugin.host.models["customers"])
            CHECK(json::parse(row.json).at("revenue_minor") == revenue["of " + key]);

        std::map<std::string, std::map<std::string, std::string>> rows;
        for (const auto& [model, each] : on.plugin.host.models)
            for (const auto& [key, row] : each)
                rows[model][key] = row.json + " @" + std::to_string(row.position);
        if (first.empty()) first = rows;
        CHECK(rows == first);
    }
}
