#include "schemas.hpp"

namespace orders {

// Numbers beyond 10^9 are typing errors, and keep every product within 64 bits. A customer becomes
// part of a tag, so its characters are a tag's.
std::string placement_schema() {
    return R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["customer", "country", "currency", "lines"],
  "properties": {
    "customer": {"type": ["string", "null"], "minLength": 1, "maxLength": 200,
                 "pattern": "^[A-Za-z0-9_.:/-]+$", "description": "null: not known"},
    "country": {"type": "string", "minLength": 1, "maxLength": 100},
    "placed_at": {"type": "string", "format": "date-time", "description": "default: now"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"},
    "lines": {
      "type": "array", "maxItems": 10000,
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["sku", "description", "quantity", "unit_price_minor"],
        "properties": {
          "sku": {"type": "string", "minLength": 1, "maxLength": 100},
          "description": {"type": "string", "maxLength": 1000},
          "quantity": {"type": "integer", "minimum": -1000000000, "maximum": 1000000000},
          "unit_price_minor": {"type": "integer", "minimum": -1000000000, "maximum": 1000000000,
                               "description": "in the smallest unit of the currency: pence"}
        }
      }
    }
  }
})";
}

std::string shipment_schema() {
    return R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["carrier"],
  "properties": {
    "carrier": {"type": "string", "minLength": 1, "maxLength": 200},
    "tracking": {"type": ["string", "null"], "minLength": 1, "maxLength": 200}
  }
})";
}

std::string cancellation_schema() {
    return R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["reason"],
  "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 1000}}
})";
}

namespace {

std::string id_schema(const char* what) {
    return std::string{R"({
  "type": "object",
  "additionalProperties": false,
  "required": ["id"],
  "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 255, "description": ")"} +
           what + R"("}}
})";
}

}  // namespace

std::string order_id_schema() { return id_schema("the order's id"); }
std::string customer_id_schema() { return id_schema("the customer's id"); }

std::string top_products_schema() {
    return R"({
  "type": "object",
  "additionalProperties": false,
  "properties": {"limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}}
})";
}

}  // namespace orders
