#include "store/sqlite/view_scan.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

const scalar null{};

class builder {
public:
    /// Adds a parameter and gives its place in the text.
    std::string value(const scalar& of) {
        made_.values.push_back(of);
        return fmt::format("?{}", made_.values.size());
    }
    builder& operator+=(std::string_view text) {
        made_.text += text;
        return *this;
    }
    scan_sql finish() && { return std::move(made_); }

private:
    scan_sql made_;
};

/// Null < numbers < text: a comparison keeps to the kind of its value. Nothing lies between the
/// greatest number and the empty text.
void add_condition(builder& sql, const std::string& column, compare op, const scalar& value) {
    const bool text = std::holds_alternative<std::string>(value);
    const auto bound = sql.value(value);
    switch (op) {
        case compare::eq:
            sql += fmt::format(" AND {}={}", column, bound);
            return;
        case compare::lt:
        case compare::le:
            sql += fmt::format(" AND {}{}{}", column, op == compare::lt ? "<" : "<=", bound);
            sql += text ? fmt::format(" AND {}>=''", column)
                        : fmt::format(" AND {}>{}", column, sql.value(null));
            return;
        case compare::gt:
        case compare::ge:
            sql += fmt::format(" AND {}{}{}", column, op == compare::gt ? ">" : ">=", bound);
            if (!text) sql += fmt::format(" AND {}<''", column);
            return;
    }
}

/// The rows after a place in an order of mixed directions: further by the first field, or the
/// same there and further by the next, and so on. The first line lets the index jump there.
void add_place(builder& sql, const model_table& model, const scan_query& query,
               const scan_place& after) {
    if (query.order.empty()) {
        sql += " AND key>" + sql.value(after.key);
        return;
    }
    const auto& first = query.order.front();
    sql += fmt::format(" AND {}{}{}", model.column(first.field),
                       first.descending ? "<=" : ">=", sql.value(after.values.front()));
    sql += " AND (";
    std::string same;
    for (std::size_t i = 0; i < query.order.size(); ++i) {
        const auto column = model.column(query.order[i].field);
        const auto bound = sql.value(after.values[i]);
        sql +=
            fmt::format("{}{}{}{} OR ", same, column, query.order[i].descending ? "<" : ">", bound);
        same += fmt::format("{}={} AND ", column, bound);
    }
    sql += fmt::format("{}key>{})", same, sql.value(after.key));
}

}  // namespace

scan_sql make_scan(const model_table& model, std::string_view tenant, const scan_query& query,
                   const scan_place* after) {
    builder sql;
    sql += "SELECT key, row, position";
    for (const auto& order : query.order) sql += ", " + model.column(order.field);
    sql += " FROM " + model.table() + " WHERE tenant=" + sql.value(std::string{tenant});
    for (const auto& condition : query.where) {
        add_condition(sql, model.column(condition.field), condition.op,
                      normalized(condition.value));
    }
    if (after != nullptr) add_place(sql, model, query, *after);
    sql += " ORDER BY ";
    for (const auto& order : query.order) {
        sql += model.column(order.field) + (order.descending ? " DESC, " : ", ");
    }
    sql += "key LIMIT " + sql.value(static_cast<std::int64_t>(query.limit + 1));
    return std::move(sql).finish();
}

}  // namespace flexcore::store::sqlite
