#include "gateway/where_args.hpp"

#include "base/json.hpp"
#include "gateway/errc.hpp"
#include "gateway/query_args.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace flexcore::gateway {
namespace {

constexpr std::size_t conditions_max = 32;

[[nodiscard]] std::unexpected<error> bad(std::string text) {
    return fail(gateway_errc::bad_request, std::move(text));
}

std::optional<store::compare> operator_named(std::string_view name) {
    if (name == "eq") return store::compare::eq;
    if (name == "lt") return store::compare::lt;
    if (name == "le") return store::compare::le;
    if (name == "gt") return store::compare::gt;
    if (name == "ge") return store::compare::ge;
    return std::nullopt;
}

store::scalar scalar_of(json::slice value) {
    switch (value.type()) {
        case json::kind::null:
            return nullptr;
        case json::kind::boolean:
            return *value.boolean();
        case json::kind::number: {
            if (const auto whole = value.integer()) return *whole;
            double number = 0;
            std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
            return number;
        }
        default:
            return value.string();
    }
}

/// "where[field]" or "where[field][op]".
result<store::scan_query::condition> read_condition_name(const std::string& name) {
    const std::size_t close = name.find(']');
    if (close == name.npos || close == 6)
        return bad("\"" + name + "\" must read where[field] or where[field][operator].");
    store::scan_query::condition out;
    out.field = name.substr(6, close - 6);
    const std::string_view rest = std::string_view{name}.substr(close + 1);
    if (rest.empty()) return out;
    if (rest.size() < 2 || rest.front() != '[' || rest.back() != ']')
        return bad("\"" + name + "\" must read where[field] or where[field][operator].");
    const auto op = operator_named(rest.substr(1, rest.size() - 2));
    if (!op) return bad("\"" + name + "\": the operators are eq, lt, le, gt and ge.");
    out.op = *op;
    return out;
}

void read_value(const std::string& text, scan_args& into) {
    store::scan_query::condition& where = into.scan.where.back();
    const auto value = json::parse(text);
    const bool scalar = value && value->text == text && value->type() != json::kind::array &&
                        value->type() != json::kind::object;
    into.texts.push_back(text);
    into.ambiguous.push_back(scalar && value->type() != json::kind::string);
    where.value = scalar ? scalar_of(*value) : store::scalar{text};
}

result<void> read_order(const std::string& text, store::scan_query& into) {
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        std::string_view one = std::string_view{text}.substr(begin, end - begin);
        const bool descending = one.starts_with('-');
        if (descending) one.remove_prefix(1);
        if (one.empty()) return bad("\"order\" must name fields, each with '-' for descending.");
        into.order.push_back({std::string{one}, descending});
        if (into.order.size() > conditions_max) return bad("\"order\" names too many fields.");
        begin = end + 1;
    }
    return {};
}

}  // namespace

result<scan_args> read_scan_args(const resolved_target& at) {
    constexpr std::array<std::string_view, 6> names{"where[…]", "order",        "limit",
                                                    "after",    "min_position", "wait_ms"};
    scan_args out;
    for (std::size_t i = 0; i < at.args.size(); ++i) {
        const query_arg& arg = at.args[i];
        for (std::size_t j = 0; j < i; ++j)
            if (at.args[j].name == arg.name)
                return bad("Query parameter \"" + arg.name + "\" stands twice.");
        if (arg.name.starts_with("where[")) {
            auto where = read_condition_name(arg.name);
            if (!where) return fail(std::move(where.error()));
            out.scan.where.push_back(std::move(*where));
            if (out.scan.where.size() > conditions_max)
                return bad("There are too many conditions.");
            read_value(arg.value, out);
        } else if (arg.name == "order") {
            if (auto ok = read_order(arg.value, out.scan); !ok) return fail(std::move(ok.error()));
        } else if (std::find(names.begin() + 2, names.end(), arg.name) == names.end()) {
            return bad(unknown_arg(arg.name, names));
        }
    }
    const auto limit = limit_arg(at);
    if (!limit) return fail(limit.error());
    out.scan.limit = *limit;
    if (const std::string* after = at.arg("after")) out.scan.after = *after;
    return out;
}

}  // namespace flexcore::gateway
