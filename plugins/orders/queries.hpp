// The questions the read models answer.
#pragma once

#include <flexcore/plugin.hpp>

#include <optional>
#include <string>

namespace orders {

/// {"id"} → the row of the order, lines and history included.
[[nodiscard]] std::optional<std::string> one_order(const flexcore::plugin::query&,
                                                   const flexcore::plugin::views&);
/// {"id"} → {"orders","cancelled","revenue_minor"}.
[[nodiscard]] std::optional<std::string> one_customer(const flexcore::plugin::query&,
                                                      const flexcore::plugin::views&);
/// {"limit": 10} → [{"sku","description","units","revenue_minor"}], most units first, then by sku.
[[nodiscard]] std::string top_products(const flexcore::plugin::query&,
                                       const flexcore::plugin::views&);

}  // namespace orders
