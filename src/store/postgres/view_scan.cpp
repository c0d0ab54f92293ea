#include "store/postgres/view_scan.hpp"

#include "store/postgres/literal.hpp"
#include "store/postgres/view_value.hpp"

#include <fmt/format.h>
#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

std::string text_of(const pqxx::field& from) { return {from.c_str(), from.size()}; }

std::string value_literal(const scalar& value) { return bytes_literal(column_bytes(value)); }

/// A comparison keeps to the kind of its value.
std::string condition_text(const std::string& column, compare op, const scalar& value) {
    const bool text = std::holds_alternative<std::string>(value);
    const auto bound = value_literal(value);
    const auto from_first = [&] {
        return fmt::format(" AND {} >= {}", column,
                           bytes_literal({text ? &first_text : &first_number, 1}));
    };
    switch (op) {
        case compare::eq:
            break;
        case compare::lt:
        case compare::le:
            return fmt::format(" AND {} {} {}", column, op == compare::lt ? "<" : "<=", bound) +
                   from_first();
        case compare::gt:
        case compare::ge: {
            auto out = fmt::format(" AND {} {} {}", column, op == compare::gt ? ">" : ">=", bound);
            if (!text) {
                out += fmt::format(" AND {} < {}", column, bytes_literal({&first_text, 1}));
            }
            return out;
        }
    }
    return fmt::format(" AND {} = {}", column, bound);
}

/// The rows after a place in an order of mixed directions: further by the first field, or the
/// same there and further by the next, and so on. The first line lets the index jump there.
std::string place_text(const model_table& model, const scan_query& query, const scan_place& after) {
    const auto further = fmt::format("key > {}", literal(after.key));
    if (query.order.empty()) return " AND " + further;
    const auto& first = query.order.front();
    std::string out =
        fmt::format(" AND {} {} {} AND (", model.column(first.field),
                    first.descending ? "<=" : ">=", value_literal(after.values.front()));
    std::string same;
    for (std::size_t i = 0; i < query.order.size(); ++i) {
        const auto column = model.column(query.order[i].field);
        const auto bound = value_literal(after.values[i]);
        out += fmt::format("{}{} {} {} OR ", same, column, query.order[i].descending ? "<" : ">",
                           bound);
        same += fmt::format("{} = {} AND ", column, bound);
    }
    return out + same + further + ")";
}

}  // namespace

std::string get_text(const model_table& model, std::string_view tenant, std::string_view key) {
    return fmt::format("SELECT row, position FROM {} WHERE tenant = {} AND key = {}", model.table(),
                       literal(tenant), literal(key));
}

std::optional<row> row_in(const pqxx::result& rows, std::string_view key) {
    if (rows.empty() || rows[0][0].is_null()) return std::nullopt;
    return row{std::string{key}, text_of(rows[0][0]), rows[0][1].as<position>()};
}

std::int64_t changes_in(const pqxx::result& rows) {
    return rows.empty() ? -1 : rows[0][2].as<std::int64_t>();
}

std::string changed_at_text(const model_table& model) {
    return fmt::format("SELECT changed_at FROM models WHERE generation = {} AND number = {}",
                       model.owner, model.number);
}

result<std::string> scan_text(const model_table& model, std::string_view tenant,
                              const scan_query& query) {
    if (auto ok = check_scan(model.spec, query); !ok) return fail(std::move(ok.error()));
    std::string text = fmt::format("SELECT key, row, position FROM {} WHERE tenant = {}",
                                   model.table(), literal(tenant));
    for (const auto& condition : query.where) {
        text += condition_text(model.column(condition.field), condition.op,
                               normalized(condition.value));
    }
    if (!query.after.empty()) {
        const auto place = decode_cursor(model.spec.name, query, query.after);
        if (!place) return fail(place.error());
        if (!is_storable(place->key)) {
            return fail(store_errc::invalid_cursor, "the cursor is not of this query");
        }
        text += place_text(model, query, *place);
    }
    text += " ORDER BY ";
    for (const auto& order : query.order) {
        text += model.column(order.field) + (order.descending ? " DESC, " : ", ");
    }
    return text + fmt::format("key LIMIT {}", query.limit + 1);
}

result<row_page> page_in(const pqxx::result& rows, const model_table& model,
                         const scan_query& query) {
    row_page page;
    for (const auto& one : rows) {
        if (page.rows.size() == query.limit) break;
        page.rows.push_back({text_of(one[0]), text_of(one[1]), one[2].as<position>()});
    }
    if (rows.size() <= query.limit) return page;
    std::vector<std::string> fields;
    fields.reserve(query.order.size());
    for (const auto& order : query.order) fields.push_back(order.field);
    auto values = indexed_values(page.rows.back().json, fields);
    if (!values) return fail(store_errc::corrupt, "a row of a read model is damaged");
    page.next = encode_cursor(model.spec.name, query,
                              {.values = std::move(*values), .key = page.rows.back().key});
    return page;
}

}  // namespace flexcore::store::postgres
