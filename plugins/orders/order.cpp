#include "order.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "order_data.hpp"

namespace orders {
namespace fc = flexcore::plugin;
namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> status_names{"none", "placed", "shipped", "cancelled"};

std::vector<std::string> tags_of(std::optional<std::string_view> customer) {
    if (!customer) return {};
    return {"customer:" + std::string{*customer}};
}

std::string result(status now) { return json::serialize(json::object{{"status", name_of(now)}}); }

fc::decision place(const fc::command& command, const order_rules::state& now) {
    using decision = fc::decision;
    if (now.is != status::none)
        return decision::reject("order_already_placed", "this order has been placed before");
    const auto data = json::parse(command.payload());
    const auto order = read_placement(data.as_object());
    const auto& lines = order.lines;
    if (lines.empty()) return decision::reject("no_lines", "an order needs at least one line");
    if (std::ranges::any_of(lines, [](const line& l) { return l.quantity <= 0; }))
        return decision::reject("quantity_not_positive", "every line needs a quantity above zero");
    if (std::ranges::any_of(lines, [](const line& l) { return l.unit_price_minor <= 0; }))
        return decision::reject("price_missing", "every line needs a price above zero");
    // The schema bounds quantity and price to 10^9 each: a product fits, and the running total is
    // looked at before the next is added.
    std::int64_t total = 0;
    for (const auto& each : lines) {
        total = add(total, multiply(each.quantity, each.unit_price_minor));
        if (total > order_rules::total_minor_max)
            return decision::reject("order_too_large", "the order is worth more than can be");
    }
    // The schema lets nothing through that does not belong into the event: the bytes stay as sent.
    return decision{}
        .event("sales.order_placed", std::string{command.payload()}, tags_of(order.customer))
        .result(json::serialize(json::object{{"status", name_of(status::placed)},
                                             {"units", sum(lines).units},
                                             {"total_minor", total}}));
}

/// What ship and cancel have in common: there must be an order, still open.
std::optional<fc::decision> refuse_unless_open(status now) {
    using decision = fc::decision;
    switch (now) {
        case status::none:
            return decision::reject("order_not_found", "there is no such order");
        case status::shipped:
            return decision::reject("order_already_shipped", "this order has been shipped");
        case status::cancelled:
            return decision::reject("order_already_cancelled", "this order has been cancelled");
        case status::placed:
            break;
    }
    return std::nullopt;
}

fc::decision ship(const fc::command& command, const order_rules::state& now) {
    if (auto refused = refuse_unless_open(now.is)) return *std::move(refused);
    const auto parsed = json::parse(command.payload());
    const auto& data = parsed.as_object();
    json::object shipped{{"carrier", data.at("carrier")}};
    if (const auto* tracking = data.if_contains("tracking")) shipped["tracking"] = *tracking;
    return fc::decision{}
        .event("sales.order_shipped", json::serialize(shipped), tags_of(now.customer))
        .result(result(status::shipped));
}

fc::decision cancel(const fc::command& command, const order_rules::state& now) {
    if (auto refused = refuse_unless_open(now.is)) return *std::move(refused);
    const auto parsed = json::parse(command.payload());
    const auto& data = parsed.as_object();
    return fc::decision{}
        .event("sales.order_cancelled",
               json::serialize(json::object{{"reason", data.at("reason")}}), tags_of(now.customer))
        .result(result(status::cancelled));
}

}  // namespace

std::string_view name_of(status one) noexcept {
    return status_names.at(static_cast<std::size_t>(one));
}

fc::decision order_rules::decide(const fc::command& command, const state& now) {
    if (command.type() == "sales.place_order") return place(command, now);
    if (command.type() == "sales.ship_order") return ship(command, now);
    if (command.type() == "sales.cancel_order") return cancel(command, now);
    throw fc::failure{FXC_UNSUPPORTED, "unknown command " + std::string{command.type()}};
}

void order_rules::evolve(state& now, const fc::event& event) {
    if (event.type() == "sales.order_placed") {
        now.is = status::placed;
        const auto data = json::parse(event.payload());
        now.customer = optional_text(data.as_object(), "customer");
    } else if (event.type() == "sales.order_shipped") {
        now.is = status::shipped;
    } else if (event.type() == "sales.order_cancelled") {
        now.is = status::cancelled;
    }
}

std::string order_rules::snapshot(const state& now) {
    json::object out{{"status", name_of(now.is)}};
    if (now.customer) out["customer"] = *now.customer;
    return json::serialize(out);
}

order_rules::state order_rules::load(std::string_view snapshot) {
    const auto data = json::parse(snapshot);
    const auto& from = data.as_object();
    const std::string_view name{from.at("status").as_string()};
    const auto* const found = std::ranges::find(status_names, name);
    if (found == status_names.end()) throw std::invalid_argument{"unknown status in a snapshot"};
    state out{static_cast<status>(found - status_names.begin()), {}};
    out.customer = optional_text(from, "customer");
    return out;
}

}  // namespace orders
