// JSON Schemas (draft 7) of commands, events and queries. They say what kind of data it is; what
// is acceptable as business (a quantity of -235, no lines at all) the aggregate decides.
#pragma once

#include <string>

namespace orders {

[[nodiscard]] std::string placement_schema();  ///< sales.place_order and sales.order_placed
[[nodiscard]] std::string shipment_schema();
[[nodiscard]] std::string cancellation_schema();
[[nodiscard]] std::string order_id_schema();
[[nodiscard]] std::string customer_id_schema();
[[nodiscard]] std::string top_products_schema();

}  // namespace orders
