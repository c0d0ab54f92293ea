// The projection "orders": from events to the rows of three read models.
//
// orders     key: order id     {"id","status","customer","country","currency","placed_at","units",
//                               "total_minor","carrier","tracking","reason","lines":[…],
//                               "history":[{"type","at","version"}]}
// customers  key: customer id  {"orders","cancelled","revenue_minor"}: orders ever placed, how many
//                              of them cancelled, revenue without those
// products   key: sku          {"sku","description","units","revenue_minor"}: without cancelled
//                              orders; a product that only those name has no row. The description
//                              is the one last seen that is not empty.
//
// One projection for all three, since undoing a cancelled order needs its lines: the row of the
// order has them. Rows that change often are held for a batch and written once.
#pragma once

#include <boost/json.hpp>
#include <flexcore/plugin.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "order_data.hpp"

namespace orders {

/// The rows of one read model that a batch touches. Read at most once, written at most once.
class held_rows {
public:
    /// `memory` holds the rows; it only grows, and goes with the batch.
    held_rows(flexcore::plugin::projection_views& views, std::string_view model,
              boost::json::monotonic_resource& memory)
        : views_{&views}, model_{model}, memory_{&memory} {}

    struct held {
        std::optional<boost::json::object> row;  ///< none: there is no such row
        std::uint64_t changed_at = 0;            ///< 0: as it was read
    };
    /// Valid until finish(). Whoever changes the row sets `changed_at`.
    held& at(std::string_view key);
    /// The same for a key that is known to have no row yet.
    held& fresh(std::string_view key);
    void finish();

private:
    struct hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    flexcore::plugin::projection_views* views_;
    std::string model_;
    boost::json::monotonic_resource* memory_;
    std::unordered_map<std::string, held, hash, std::equal_to<>> rows_;
};

/// One batch of events.
class order_book {
public:
    explicit order_book(flexcore::plugin::projection_views&);
    void apply(const flexcore::plugin::event&);
    void finish();

private:
    void placed(const flexcore::plugin::event&);
    void shipped(const flexcore::plugin::event&);
    void cancelled(const flexcore::plugin::event&);
    /// The order's row, when it is open; a changed one enters its history.
    boost::json::object* open_order(const flexcore::plugin::event&);
    void change_customer(const boost::json::value& customer, std::int64_t placed,
                         std::int64_t cancelled, std::int64_t revenue_minor,
                         std::uint64_t position);
    /// `sign` 1 counts the line, -1 takes it back.
    void change_product(const line& sold, std::int64_t sign, std::uint64_t position);

    boost::json::monotonic_resource memory_;  // of the rows and of the events at hand
    held_rows orders_, customers_, products_;
};

/// RFC 3339 in UTC with microseconds.
[[nodiscard]] std::string time_text(std::int64_t unix_us);

}  // namespace orders
