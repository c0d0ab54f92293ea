// The orders plugin, as built, on a fake host.
#pragma once

#include "unit/sdk/loaded_plugin.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace flexcore::test {

struct orders_fixture {
    loaded_plugin plugin{std::filesystem::path{FLEXCORE_BINARY_DIR} / "plugins/orders.so"};

    orders_fixture() {
        for (const auto* model : {"orders", "customers", "products"}) plugin.host.models[model];
    }

    outcome send(std::string_view what, std::string_view id, std::string_view data) {
        return plugin.send("sales.order", id, "sales." + std::string{what} + "_order", data);
    }
    /// `customer` empty: null. `lines` is the inside of the array.
    outcome place(std::string_view id, std::string_view customer, std::string_view lines) {
        const auto who = customer.empty() ? "null" : '"' + std::string{customer} + '"';
        return send("place", id,
                    R"({"customer":)" + who + R"(,"country":"Norway","currency":"NOK","lines":[)" +
                        std::string{lines} + "]}");
    }
    outcome ship(std::string_view id) { return send("ship", id, R"({"carrier":"Bring"})"); }
    outcome cancel(std::string_view id) { return send("cancel", id, R"({"reason":"regret"})"); }

    static std::string line(std::string_view sku, std::int64_t quantity, std::int64_t price,
                            std::string_view description = "thing") {
        return boost::json::serialize(boost::json::object{{"sku", sku},
                                                          {"description", description},
                                                          {"quantity", quantity},
                                                          {"unit_price_minor", price}});
    }
    boost::json::value row(const std::string& model, const std::string& key) {
        const auto& rows = plugin.host.models[model];
        const auto at = rows.find(key);
        return at == rows.end() ? boost::json::value{} : boost::json::parse(at->second.json);
    }
    boost::json::value ask(std::string_view query, std::string_view params) {
        const auto answer = plugin.ask(query, params);
        return answer.status == FXC_OK ? boost::json::parse(answer.result) : boost::json::value{};
    }
};

/// "no_lines", or empty when the command was not refused by the domain.
inline std::string reason(const outcome& answer) {
    if (answer.status != FXC_REJECTED) return {};
    return std::string{boost::json::parse(answer.problem).at("reason").as_string()};
}

}  // namespace flexcore::test
