#include "read_models.hpp"

#include <chrono>
#include <cstdio>

#include "order.hpp"

namespace orders {
namespace fc = flexcore::plugin;
namespace json = boost::json;

namespace {

void add_to(json::object& row, std::string_view member, std::int64_t by) {
    auto& value = row[member];
    value = add(value.is_null() ? 0 : value.to_number<std::int64_t>(), by);
}

/// Integers as such: "2.0" is one, too, but would be printed as 2E0.
void make_integer(json::value& number) { number = number.to_number<std::int64_t>(); }

json::value history_entry(const fc::event& event, std::string_view at, json::storage_ptr memory) {
    return json::value({{"type", event.type()}, {"at", at}, {"version", event.version()}},
                       std::move(memory));
}

}  // namespace

// ---- held_rows --------------------------------------------------------------------------------

held_rows::held& held_rows::at(std::string_view key) {
    if (const auto known = rows_.find(key); known != rows_.end()) return known->second;
    auto& added = rows_[std::string{key}];
    if (const auto text = views_->get(model_, key))
        added.row = std::move(json::parse(*text, memory_).as_object());
    return added;
}

held_rows::held& held_rows::fresh(std::string_view key) { return rows_[std::string{key}]; }

void held_rows::finish() {
    json::serializer printer;
    std::string text;
    char piece[8'192];
    for (const auto& [key, touched] : rows_) {
        if (touched.changed_at == 0) continue;
        if (!touched.row) {
            views_->remove(model_, key, touched.changed_at);
            continue;
        }
        text.clear();
        for (printer.reset(&*touched.row); !printer.done();) text += printer.read(piece);
        views_->put(model_, key, text, touched.changed_at);
    }
    rows_.clear();
}

// ---- order_book -------------------------------------------------------------------------------

order_book::order_book(fc::projection_views& views)
    : memory_{256 * 1'024},
      orders_{views, "orders", memory_},
      customers_{views, "customers", memory_},
      products_{views, "products", memory_} {}

void order_book::apply(const fc::event& event) {
    if (event.type() == "sales.order_placed") placed(event);
    if (event.type() == "sales.order_shipped") shipped(event);
    if (event.type() == "sales.order_cancelled") cancelled(event);
}

void order_book::finish() {
    orders_.finish();
    customers_.finish();
    products_.finish();
}

void order_book::change_customer(const json::value& customer, std::int64_t placed,
                                 std::int64_t cancelled, std::int64_t revenue_minor,
                                 std::uint64_t position) {
    if (!customer.is_string()) return;
    auto& held = customers_.at(customer.get_string());
    if (!held.row)
        held.row = json::object({{"orders", 0}, {"cancelled", 0}, {"revenue_minor", 0}}, &memory_);
    add_to(*held.row, "orders", placed);
    add_to(*held.row, "cancelled", cancelled);
    add_to(*held.row, "revenue_minor", revenue_minor);
    held.changed_at = position;
}

void order_book::change_product(const line& sold, std::int64_t sign, std::uint64_t position) {
    auto& held = products_.at(sold.sku);
    if (!held.row) {
        if (sign < 0) return;
        held.row = json::object(
            {{"sku", sold.sku}, {"description", ""}, {"units", 0}, {"revenue_minor", 0}}, &memory_);
    }
    if (sign > 0 && !sold.description.empty()) held.row->at("description") = sold.description;
    add_to(*held.row, "units", multiply(sign, sold.quantity));
    add_to(*held.row, "revenue_minor",
           multiply(sign, multiply(sold.quantity, sold.unit_price_minor)));
    // Every counted line has a quantity above zero, so no units means no line.
    if (held.row->at("units").to_number<std::int64_t>() == 0) held.row.reset();
    held.changed_at = position;
}

void order_book::placed(const fc::event& event) {
    // The first event of a stream cannot have a row yet: no need to look.
    auto& held = event.version() == 1 ? orders_.fresh(event.key()) : orders_.at(event.key());
    if (held.row) return;  // only events appended past the aggregate can do this; the first counts
    auto data = json::parse(event.payload(), &memory_);
    auto& lines = data.as_object().at("lines").as_array();
    for (auto& each : lines) {
        make_integer(each.as_object().at("quantity"));
        make_integer(each.as_object().at("unit_price_minor"));
    }
    const auto order = read_placement(data.as_object());
    const auto sums = sum(order.lines);
    const auto recorded_at = time_text(event.time_unix_us());
    held.row = json::object({{"id", event.key()},
                             {"status", name_of(status::placed)},
                             {"customer", nullptr},
                             {"country", order.country},
                             {"currency", order.currency},
                             {"placed_at", order.placed_at.value_or(recorded_at)},
                             {"units", sums.units},
                             {"total_minor", sums.total_minor},
                             {"carrier", nullptr},
                             {"tracking", nullptr},
                             {"reason", nullptr}},
                            &memory_);
    auto& row = *held.row;
    if (order.customer) row.at("customer") = *order.customer;
    change_customer(row.at("customer"), 1, 0, sums.total_minor, event.position());
    for (const auto& each : order.lines) change_product(each, 1, event.position());
    // Last, for `order` looks into them.
    row.emplace("lines", std::move(lines));
    row.emplace("history", json::array({history_entry(event, recorded_at, &memory_)}, &memory_));
    held.changed_at = event.position();
}

json::object* order_book::open_order(const fc::event& event) {
    auto& held = orders_.at(event.key());
    if (!held.row || held.row->at("status").as_string() != name_of(status::placed)) return nullptr;
    held.row->at("history").as_array().push_back(
        history_entry(event, time_text(event.time_unix_us()), &memory_));
    held.changed_at = event.position();
    return &*held.row;
}

void order_book::shipped(const fc::event& event) {
    const auto parsed = json::parse(event.payload(), &memory_);
    const auto& data = parsed.as_object();
    auto* row = open_order(event);
    if (row == nullptr) return;
    (*row)["status"] = name_of(status::shipped);
    (*row)["carrier"] = data.at("carrier");
    if (const auto* tracking = data.if_contains("tracking")) (*row)["tracking"] = *tracking;
}

void order_book::cancelled(const fc::event& event) {
    const auto parsed = json::parse(event.payload(), &memory_);
    const auto& data = parsed.as_object();
    auto* row = open_order(event);
    if (row == nullptr) return;
    (*row)["status"] = name_of(status::cancelled);
    (*row)["reason"] = data.at("reason");
    change_customer(row->at("customer"), 0, 1,
                    multiply(-1, row->at("total_minor").to_number<std::int64_t>()),
                    event.position());
    for (const auto& each : read_lines(row->at("lines").as_array()))
        change_product(each, -1, event.position());
}

std::string time_text(std::int64_t unix_us) {
    using namespace std::chrono;
    const sys_time<microseconds> at{microseconds{unix_us}};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const hh_mm_ss clock{at - day};
    char text[64];
    std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return text;
}

}  // namespace orders
