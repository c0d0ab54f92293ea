#include "queries.hpp"

#include <boost/json.hpp>

#include <string_view>

namespace orders {
namespace fc = flexcore::plugin;
namespace json = boost::json;

namespace {

/// The rows are the answers: nothing is parsed and printed on the way out.
std::optional<std::string> row_of(std::string_view model, const fc::query& query,
                                  const fc::views& views) {
    const auto params = json::parse(query.params);
    return views.get(model, params.at("id").as_string());
}

}  // namespace

std::optional<std::string> one_order(const fc::query& query, const fc::views& views) {
    return row_of("orders", query, views);
}

std::optional<std::string> one_customer(const fc::query& query, const fc::views& views) {
    return row_of("customers", query, views);
}

std::string top_products(const fc::query& query, const fc::views& views) {
    const auto params = json::parse(query.params).as_object();
    const auto* limit = params.if_contains("limit");
    const json::object asked{{"order", {"-units", "sku"}},
                             {"limit", limit == nullptr ? 10 : limit->to_number<std::int64_t>()}};
    std::string out{"["};
    for (const auto& row : views.scan("products", json::serialize(asked)).rows) {
        if (out.size() > 1) out += ',';
        out += row.json;
    }
    return out += ']';
}

}  // namespace orders
