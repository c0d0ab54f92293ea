// What an order is made of, read from its JSON. Shared by the aggregate and the read models.
//
// Lifetime: texts are views of the parsed JSON.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace orders {

struct line {
    std::string_view sku;
    std::string_view description;
    std::int64_t quantity = 0;
    std::int64_t unit_price_minor = 0;  ///< in the currency's smallest unit: pence
};

struct placement {
    std::optional<std::string_view> customer;
    std::string_view country;
    std::optional<std::string_view> placed_at;  ///< RFC 3339, none: when it was recorded
    std::string_view currency;                  ///< ISO 4217
    std::vector<line> lines;
};

/// The data of sales.place_order and of sales.order_placed. Throws when it is neither.
[[nodiscard]] placement read_placement(const boost::json::object&);
[[nodiscard]] std::vector<line> read_lines(const boost::json::array&);

/// Throws std::overflow_error: no sum here wraps around.
[[nodiscard]] std::int64_t add(std::int64_t, std::int64_t);
[[nodiscard]] std::int64_t multiply(std::int64_t, std::int64_t);

struct sums {
    std::int64_t units = 0;
    std::int64_t total_minor = 0;
};
[[nodiscard]] sums sum(const std::vector<line>&);

/// A text member or none; null is none.
[[nodiscard]] std::optional<std::string_view> optional_text(const boost::json::object&,
                                                            std::string_view member);

}  // namespace orders
