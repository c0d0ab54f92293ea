#include "store/postgres/view_statements.hpp"

#include <fmt/format.h>

namespace flexcore::store::postgres {
namespace {

class parameters {
public:
    explicit parameters(int used) : used_{used} {}
    std::string next(std::string_view type) { return fmt::format("${}::{}", ++used_, type); }

private:
    int used_;
};

std::string put_text(const model_table& model, parameters& next) {
    std::string columns = "tenant, key, position, row";
    std::string arrays;
    for (const auto* type : {"text[]", "text[]", "bigint[]", "text[]"}) {
        arrays += (arrays.empty() ? "" : ", ") + next.next(type);
    }
    std::string changes = "position = excluded.position, row = excluded.row";
    for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
        const auto column = model_table::column(f);
        columns += ", " + column;
        arrays += ", " + next.next("bytea[]");
        changes += fmt::format(", {0} = excluded.{0}", column);
    }
    return fmt::format(
        "INSERT INTO {} ({}) SELECT * FROM unnest({}) WHERE EXISTS (SELECT FROM moved)"
        " ON CONFLICT (tenant, key) DO UPDATE SET {}",
        model.table(), columns, arrays, changes);
}

std::string remove_text(const model_table& model, parameters& next) {
    const auto tenants = next.next("text[]");
    const auto keys = next.next("text[]");
    const auto positions = next.next("bigint[]");
    return fmt::format(
        "DELETE FROM {} r USING unnest({}, {}, {}) AS g(tenant, key, position)"
        " WHERE r.tenant = g.tenant AND r.key = g.key AND EXISTS (SELECT FROM moved)"
        " RETURNING g.position",
        model.table(), tenants, keys, positions);
}

}  // namespace

std::string point_read_text(const model_table& model) {
    return fmt::format("SELECT row, position FROM {} WHERE tenant = $1 AND key = $2",
                       model.table());
}

std::string commit_text(generation_id id, const std::vector<model_table>& models) {
    // The update waits for whoever is just writing, and then looks at the row anew. Everything else
    // is only done when it has found its row: then nobody has written since.
    std::string text = fmt::format(
        "WITH moved AS (UPDATE generations SET checkpoint = $3::bigint, commits = commits + 1"
        " WHERE id = {} AND checkpoint = $1::bigint AND commits = $2::bigint RETURNING 1)",
        id);
    parameters next{3};
    std::string changes;
    for (const auto& model : models) {
        text += fmt::format(", put{} AS ({})", model.number, put_text(model, next));
        text += fmt::format(", gone{} AS ({})", model.number, remove_text(model, next));
        changes += fmt::format("{}({}, GREATEST({}, (SELECT max(position) FROM gone{})))",
                               changes.empty() ? "" : ", ", model.number, next.next("bigint"),
                               model.number);
    }
    if (!models.empty()) {
        text += fmt::format(
            ", noted AS (UPDATE models m SET changed_at = c.position FROM (VALUES {}) AS c(number,"
            " position) WHERE m.generation = {} AND m.number = c.number"
            " AND m.changed_at < c.position AND EXISTS (SELECT FROM moved))",
            changes, id);
    }
    return text + " SELECT count(*) FROM moved";
}

}  // namespace flexcore::store::postgres
