// orders: the context "sales" with its aggregate "order". This file only says what there is.
#include <flexcore/plugin.hpp>

#include "order.hpp"
#include "queries.hpp"
#include "read_models.hpp"
#include "schemas.hpp"

namespace orders {
namespace {

namespace fc = flexcore::plugin;

class plugin {
public:
    static void describe(fc::description<plugin>& what) {
        what.id = "flexcore.orders";
        what.version = "1.0.0";
        what.reentrant = true;  // everything below is pure
        what.unloadable = true;
        describe_order(what.aggregate<order_rules>("sales.order"));
        describe_read_models(what);
        describe_queries(what);
    }

private:
    static void describe_order(fc::aggregate_entry& order) {
        order.command("sales.place_order")
            .describe("Places an order; its result has status, units and total_minor.")
            .schema(placement_schema());
        order.command("sales.ship_order")
            .describe("Hands a placed order to a carrier.")
            .schema(shipment_schema());
        order.command("sales.cancel_order")
            .describe("Cancels a placed order that has not been shipped.")
            .schema(cancellation_schema());
        order.event("sales.order_placed")
            .describe("An order was placed. Tagged customer:<id> when the customer is known.")
            .schema(placement_schema());
        order.event("sales.order_shipped")
            .describe("The order left with a carrier. Tagged like the order.")
            .schema(shipment_schema());
        order.event("sales.order_cancelled")
            .describe("The order was cancelled. Tagged like the order.")
            .schema(cancellation_schema());
    }
    static void describe_read_models(fc::description<plugin>& what) {
        what.read_model("orders")
            .indexed({"status", "customer", "country", "placed_at", "total_minor"})
            .describe("Every order as it stands, with its lines and what happened to it.");
        what.read_model("customers")
            .indexed({"orders", "cancelled", "revenue_minor"})
            .describe("Orders, cancelled orders and revenue of each known customer.");
        what.read_model("products")
            .indexed({"sku", "units", "revenue_minor"})
            .describe("Units and revenue of each product, without cancelled orders.");
        what.batch_projection<order_book>("orders")
            .types({"sales.order_placed", "sales.order_shipped", "sales.order_cancelled"})
            .categories({"sales.order"})
            .writes({"orders", "customers", "products"});
    }
    static void describe_queries(fc::description<plugin>& what) {
        what.query("sales.order", &one_order)
            .describe("One order, with its lines and its history.")
            .params(order_id_schema())
            .reads({"orders"});
        what.query("sales.customer", &one_customer)
            .describe("Orders ever placed, how many of them cancelled, revenue without those.")
            .params(customer_id_schema())
            .reads({"customers"});
        what.query("sales.top_products", &top_products)
            .describe("The best-selling products, by units, then by sku.")
            .params(top_products_schema())
            .reads({"products"});
    }
};

}  // namespace
}  // namespace orders

FLEXCORE_PLUGIN(orders::plugin)
