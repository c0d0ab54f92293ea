#include "store/postgres/view_catalogue.hpp"

#include "base/check.hpp"
#include "store/model_fields_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>

namespace flexcore::store::postgres {
namespace {

constexpr std::string_view where = "the read models in PostgreSQL";

constexpr sql generations_of_all{
    "view_generations",
    "SELECT g.id, g.projection, g.version, g.checkpoint, g.serving, g.paused, g.stopped_because,"
    " m.name, m.indexed FROM generations g LEFT JOIN models m ON m.generation = g.id"
    " ORDER BY g.id, m.number"};
constexpr sql lock_the_catalogue{"view_lock_catalogue", "SELECT changes FROM catalogue FOR UPDATE"};
constexpr sql next_id{
    "view_next_id",
    "UPDATE catalogue SET last_generation = last_generation + 1 RETURNING last_generation"};
constexpr sql insert_generation{
    "view_add_generation",
    "INSERT INTO generations (id, projection, version, checkpoint, commits, serving, paused,"
    " stopped_because) VALUES ($1, $2, $3, 0, 0, $4, $5, '')"};
constexpr sql insert_model{"view_add_model",
                           "INSERT INTO models (generation, number, name, indexed, changed_at)"
                           " VALUES ($1, $2, $3, $4, 0)"};
constexpr sql leave_table{"view_leave_table",
                          "INSERT INTO tables_left (name, left_at) VALUES ($1, clock_timestamp())"};
constexpr sql delete_models{"view_delete_models", "DELETE FROM models WHERE generation = $1"};
constexpr sql delete_generation{"view_delete_generation", "DELETE FROM generations WHERE id = $1"};
constexpr sql count_change{"view_count_change", "UPDATE catalogue SET changes = changes + 1"};

result<void> create_table(connection& db, const model_table& model) {
    const auto name = model.table();
    // Room on each page, so that a row which keeps its indexed values changes no index.
    std::string columns =
        "tenant text COLLATE \"C\" NOT NULL, key text COLLATE \"C\" NOT NULL,"
        " position bigint NOT NULL, row text NOT NULL";
    std::string indexes;
    for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
        const auto column = model_table::column(f);
        columns += fmt::format(", {} bytea NOT NULL", column);
        indexes += fmt::format("CREATE INDEX {0}_{1} ON {0} (tenant, {1}, key);", name, column);
    }
    const auto made = db.script(
        fmt::format("CREATE TABLE {} ({}, PRIMARY KEY (tenant, key)) WITH (fillfactor = 80);{}",
                    name, columns, indexes));
    if (!made) return fail(made.error());
    return {};
}

result<void> done(result<pqxx::result> answer) {
    if (!answer) return fail(std::move(answer.error()));
    return {};
}

}  // namespace

std::string model_table::table() const { return fmt::format("rows_{}_{}", owner, number); }

std::string model_table::column(std::size_t field) { return fmt::format("f{}", field); }

std::string model_table::column(std::string_view field) const {
    const auto found = std::find(spec.indexed.begin(), spec.indexed.end(), field);
    FLEXCORE_CHECK(found != spec.indexed.end());
    return column(static_cast<std::size_t>(found - spec.indexed.begin()));
}

std::vector<model_table> tables_of(const generation& from) {
    std::vector<model_table> tables;
    tables.reserve(from.models.size());
    for (std::size_t i = 0; i < from.models.size(); ++i) {
        tables.push_back({from.models[i], from.id, static_cast<std::uint32_t>(i)});
    }
    return tables;
}

const model_table* serving_tables::find(std::string_view model) const {
    const auto found = std::find_if(models.begin(), models.end(),
                                    [&](const model_table& one) { return one.spec.name == model; });
    return found == models.end() ? nullptr : &*found;
}

std::string serving_tables_text() {
    return "SELECT c.changes, g.id, m.number, m.name, m.indexed FROM catalogue c LEFT JOIN"
           " (generations g JOIN models m ON m.generation = g.id) ON g.serving"
           " ORDER BY g.id, m.number";
}

result<std::shared_ptr<const serving_tables>> serving_tables_in(const pqxx::result& rows) {
    auto made = std::make_shared<serving_tables>();
    for (const auto& row : rows) {
        made->changes = row[0].as<std::int64_t>();
        if (row[1].is_null()) continue;  // nothing serves
        auto fields = fields_from_json(row[4].c_str(), where);
        if (!fields) return fail(std::move(fields.error()));
        made->models.push_back({.spec = {row[3].as<std::string>(), std::move(*fields)},
                                .owner = row[1].as<generation_id>(),
                                .number = row[2].as<std::uint32_t>()});
    }
    return made;
}

result<std::vector<generation>> read_generations(connection& db) {
    const auto rows = db.run(generations_of_all);
    if (!rows) return fail(rows.error());
    std::vector<generation> all;
    for (const auto& row : *rows) {
        const auto id = row[0].as<generation_id>();
        if (all.empty() || all.back().id != id) {
            auto& one = all.emplace_back();
            one.id = id;
            one.projection = row[1].as<std::string>();
            one.version = row[2].as<std::uint32_t>();
            one.checkpoint = row[3].as<position>();
            one.serving = row[4].as<bool>();
            one.paused = row[5].as<bool>();
            one.stopped_because = row[6].as<std::string>();
        }
        if (row[7].is_null()) continue;  // a projection without models
        auto fields = fields_from_json(row[8].c_str(), where);
        if (!fields) return fail(std::move(fields.error()));
        all.back().models.push_back({row[7].as<std::string>(), std::move(*fields)});
    }
    return all;
}

result<void> lock_catalogue(connection& db) { return done(db.run(lock_the_catalogue)); }

result<void> add_generation(connection& db, generation& made) {
    const auto id = db.run(next_id);
    if (!id) return fail(id.error());
    made.id = (*id)[0][0].as<generation_id>();
    if (auto ok = done(db.run(insert_generation, params{}
                                                     .add(made.id)
                                                     .add(made.projection)
                                                     .add(made.version)
                                                     .add(made.serving)
                                                     .add(made.paused)));
        !ok)
        return ok;
    for (const auto& model : tables_of(made)) {
        if (auto ok = done(db.run(insert_model, params{}
                                                    .add(model.owner)
                                                    .add(model.number)
                                                    .add(model.spec.name)
                                                    .add(fields_as_json(model.spec.indexed))));
            !ok)
            return ok;
        if (auto ok = create_table(db, model); !ok) return ok;
    }
    return {};
}

result<void> drop_generation(connection& db, const generation& gone) {
    for (const auto& model : tables_of(gone)) {
        if (auto ok = done(db.run(leave_table, params{}.add(model.table()))); !ok) return ok;
    }
    // In the order in which a commit of rows locks them.
    if (auto ok = done(db.run(delete_generation, params{}.add(gone.id))); !ok) return ok;
    return done(db.run(delete_models, params{}.add(gone.id)));
}

result<void> catalogue_changed(connection& db) { return done(db.run(count_change)); }

}  // namespace flexcore::store::postgres
