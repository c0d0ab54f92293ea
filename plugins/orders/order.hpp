// The order: what may happen to it, and what then has happened. Pure.
//
//   none ──place──▶ placed ──ship──▶ shipped
//                      └───cancel──▶ cancelled
//
// Refusals, the first that holds: order_already_placed, no_lines, quantity_not_positive,
// price_missing, order_too_large; order_not_found, order_already_shipped, order_already_cancelled.
#pragma once

#include <flexcore/plugin.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orders {

enum class status : std::uint8_t { none, placed, shipped, cancelled };
[[nodiscard]] std::string_view name_of(status) noexcept;

struct order_rules {
    /// All a decision needs to know.
    struct state {
        status is = status::none;
        std::optional<std::string> customer;
    };

    [[nodiscard]] static flexcore::plugin::decision decide(const flexcore::plugin::command&,
                                                           const state&);
    static void evolve(state&, const flexcore::plugin::event&);
    [[nodiscard]] static std::string snapshot(const state&);
    [[nodiscard]] static state load(std::string_view snapshot);

    /// The most that one order may be worth; millions of such orders still sum up in 64 bits.
    static constexpr std::int64_t total_minor_max = 1'000'000'000'000;
};

}  // namespace orders
