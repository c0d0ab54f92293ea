#include "order_data.hpp"

#include <stdexcept>

namespace orders {
namespace json = boost::json;

namespace {

std::string_view text(const json::object& from, std::string_view member) {
    return from.at(member).as_string();
}

}  // namespace

std::optional<std::string_view> optional_text(const json::object& from, std::string_view member) {
    const auto* value = from.if_contains(member);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return std::string_view{value->as_string()};
}

std::vector<line> read_lines(const json::array& from) {
    std::vector<line> lines;
    lines.reserve(from.size());
    for (const auto& each : from) {
        const auto& object = each.as_object();
        lines.push_back({text(object, "sku"), text(object, "description"),
                         object.at("quantity").to_number<std::int64_t>(),
                         object.at("unit_price_minor").to_number<std::int64_t>()});
    }
    return lines;
}

placement read_placement(const json::object& from) {
    return {optional_text(from, "customer"), text(from, "country"),
            optional_text(from, "placed_at"), text(from, "currency"),
            read_lines(from.at("lines").as_array())};
}

std::int64_t add(std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    if (__builtin_add_overflow(a, b, &out)) throw std::overflow_error{"a sum passes 64 bits"};
    return out;
}
std::int64_t multiply(std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    if (__builtin_mul_overflow(a, b, &out)) throw std::overflow_error{"a product passes 64 bits"};
    return out;
}

sums sum(const std::vector<line>& lines) {
    sums out;
    for (const auto& each : lines) {
        out.units = add(out.units, each.quantity);
        out.total_minor = add(out.total_minor, multiply(each.quantity, each.unit_price_minor));
    }
    return out;
}

}  // namespace orders
