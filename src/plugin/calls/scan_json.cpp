#include "plugin/calls/scan_json.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <charconv>

namespace flexcore::plugin {
namespace {

std::unexpected<error> refuse(std::string why) {
    return fail(base_errc::invalid_argument, "scan: " + std::move(why));
}

std::optional<store::compare> operator_named(std::string_view name) {
    if (name == "eq") return store::compare::eq;
    if (name == "lt") return store::compare::lt;
    if (name == "le") return store::compare::le;
    if (name == "gt") return store::compare::gt;
    if (name == "ge") return store::compare::ge;
    return std::nullopt;
}

std::optional<store::scalar> scalar_of(json::slice value) {
    switch (value.type()) {
        case json::kind::null:
            return store::scalar{nullptr};
        case json::kind::boolean:
            return store::scalar{*value.boolean()};
        case json::kind::string:
            return store::scalar{value.string()};
        case json::kind::number: {
            if (const auto whole = value.integer()) return store::scalar{*whole};
            double real = 0;
            std::from_chars(value.text.data(), value.text.data() + value.text.size(), real);
            return store::scalar{real};
        }
        default:
            return std::nullopt;
    }
}

result<void> read_where(json::slice where, store::scan_query& into) {
    if (where.type() != json::kind::object) return refuse("\"where\" must be an object");
    std::vector<json::member> fields;
    std::vector<json::member> operators;
    json::members_of(where, fields);
    for (const auto& field : fields) {
        const std::string name = field.name();
        if (field.value.type() != json::kind::object)
            return refuse(
                fmt::format("\"where.{}\" must be an object such as {{\"eq\": 1}}", name));
        json::members_of(field.value, operators);
        for (const auto& each : operators) {
            const auto op = operator_named(each.name());
            if (!op)
                return refuse(fmt::format("\"where.{}\": \"{}\" is none of eq, lt, le, gt, ge",
                                          name, each.name()));
            auto value = scalar_of(each.value);
            if (!value)
                return refuse(fmt::format("\"where.{}\" compares with an array or object", name));
            into.where.push_back({name, *op, *std::move(value)});
        }
    }
    return {};
}

result<void> read_order(json::slice order, store::scan_query& into) {
    if (order.type() != json::kind::array) return refuse("\"order\" must be an array");
    std::vector<json::slice> fields;
    json::elements_of(order, fields);
    for (const auto& field : fields) {
        if (field.type() != json::kind::string) return refuse("\"order\" must hold field names");
        std::string name = field.string();
        const bool descending = name.starts_with('-');
        if (descending) name.erase(0, 1);
        if (name.empty()) return refuse("\"order\" names an empty field");
        into.order.push_back({std::move(name), descending});
    }
    return {};
}

}  // namespace

result<store::scan_query> parse_scan(std::string_view text) {
    store::scan_query query;
    if (text.empty()) return query;
    const auto root = json::parse(text);
    if (!root) return fail(root.error());
    if (root->type() != json::kind::object) return refuse("must be a JSON object");
    std::vector<json::member> members;
    json::members_of(*root, members);
    for (const auto& member : members) {
        result<void> read;
        if (member.named("where")) {
            read = read_where(member.value, query);
        } else if (member.named("order")) {
            read = read_order(member.value, query);
        } else if (member.named("limit")) {
            const auto limit = member.value.unsigned_integer();
            if (!limit || *limit == 0 || *limit > scan_limit_max)
                return refuse(fmt::format("\"limit\" must be from 1 to {}", scan_limit_max));
            query.limit = *limit;
        } else if (member.named("after")) {
            if (member.value.type() != json::kind::string)
                return refuse("\"after\" must be a cursor");
            query.after = member.value.string();
        } else {
            return refuse(fmt::format("unknown member \"{}\"", member.name()));
        }
        if (!read) return fail(std::move(read).error());
    }
    return query;
}

}  // namespace flexcore::plugin
