#include "store/sqlite/view_catalogue.hpp"

#include "base/check.hpp"
#include "store/model_fields_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace flexcore::store::sqlite {
namespace {

constexpr double null_value = -std::numeric_limits<double>::infinity();

result<void> create_table(connection& db, const model_table& model) {
    const auto name = model.table();
    std::string sql = fmt::format(
        "CREATE TABLE {0} (tenant TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL,"
        " row TEXT NOT NULL",
        name);
    std::string indexes;
    for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
        const auto column = model_table::column(f);
        sql += fmt::format(", {} NOT NULL", column);  // no type: values keep theirs
        indexes += fmt::format("CREATE INDEX {0}_{1} ON {0} (tenant, {1}, key);", name, column);
    }
    sql += ", UNIQUE (tenant, key));" + indexes;
    return db.execute(sql.c_str());
}

}  // namespace

std::string model_table::table() const { return fmt::format("rows_{}_{}", owner, number); }

std::string model_table::column(std::size_t field) { return fmt::format("f{}", field); }

std::string model_table::column(std::string_view field) const {
    const auto found = std::find(spec.indexed.begin(), spec.indexed.end(), field);
    FLEXCORE_CHECK(found != spec.indexed.end());
    return column(static_cast<std::size_t>(found - spec.indexed.begin()));
}

void bind_scalar(statement& to, int at, const scalar& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        to.bind(at, *integer);
    } else if (const auto* number = std::get_if<double>(&value)) {
        to.bind(at, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        to.bind(at, std::string_view{*text});
    } else {
        to.bind(at, null_value);
    }
}

scalar column_scalar(const statement& from, int column) {
    switch (sqlite3_column_type(from.get(), column)) {
        case SQLITE_INTEGER:
            return from.integer(column);
        case SQLITE_FLOAT: {
            const double number = sqlite3_column_double(from.get(), column);
            return number == null_value ? scalar{nullptr} : scalar{number};
        }
        case SQLITE_TEXT:
            return std::string{from.text(column)};
        default:
            return nullptr;
    }
}

model_tables tables_of(const generation& from) {
    model_tables tables;
    for (std::size_t i = 0; i < from.models.size(); ++i) {
        tables.push_back({from.models[i], from.id, static_cast<std::uint32_t>(i)});
    }
    return tables;
}

result<std::vector<generation>> read_generations(connection& db) {
    std::vector<generation> all;
    auto rows = db.prepare(
        "SELECT id, projection, version, checkpoint, serving, paused, stopped_because "
        "FROM generations ORDER BY id");
    if (!rows) return fail(rows.error());
    int code = rows->step();
    for (; code == SQLITE_ROW; code = rows->step()) {
        generation one;
        one.id = rows->natural(0);
        one.projection = rows->text(1);
        one.version = static_cast<std::uint32_t>(rows->integer(2));
        one.checkpoint = rows->natural(3);
        one.serving = rows->integer(4) != 0;
        one.paused = rows->integer(5) != 0;
        one.stopped_because = rows->text(6);
        all.push_back(std::move(one));
    }
    if (code != SQLITE_DONE) return fail(db.failure(code, "read the generations"));

    auto models =
        db.prepare("SELECT generation, name, indexed FROM models ORDER BY generation, number");
    if (!models) return fail(models.error());
    for (code = models->step(); code == SQLITE_ROW; code = models->step()) {
        const auto id = models->natural(0);
        const auto owner = std::find_if(all.begin(), all.end(),
                                        [&](const generation& one) { return one.id == id; });
        if (owner == all.end()) continue;
        auto fields = fields_from_json(models->text(2), db.file());
        if (!fields) return fail(fields.error());
        owner->models.push_back({std::string{models->text(1)}, std::move(*fields)});
    }
    if (code != SQLITE_DONE) return fail(db.failure(code, "read the models"));
    return all;
}

result<model_tables> read_serving_models(connection& db) {
    const auto all = read_generations(db);
    if (!all) return fail(all.error());
    model_tables serving;
    for (const auto& one : *all) {
        if (!one.serving) continue;
        for (auto& table : tables_of(one)) serving.push_back(std::move(table));
    }
    return serving;
}

result<generation_id> add_generation(connection& db, const generation& made) {
    auto add = db.prepare(
        "INSERT INTO generations (projection, version, checkpoint, serving, paused, "
        "stopped_because) VALUES (?1, ?2, 0, ?3, ?4, '')");
    if (!add) return fail(add.error());
    add->bind(1, std::string_view{made.projection})
        .bind(2, std::uint64_t{made.version})
        .bind(3, std::int64_t{made.serving})
        .bind(4, std::int64_t{made.paused});
    if (auto ok = db.run(*add, "add a generation"); !ok) return fail(ok.error());
    auto numbered = made;
    numbered.id = static_cast<generation_id>(sqlite3_last_insert_rowid(db.get()));

    auto add_model = db.prepare("INSERT INTO models VALUES (?1, ?2, ?3, ?4, 0)");
    if (!add_model) return fail(add_model.error());
    for (const auto& model : tables_of(numbered)) {
        const auto fields = fields_as_json(model.spec.indexed);
        add_model->bind(1, model.owner)
            .bind(2, std::uint64_t{model.number})
            .bind(3, std::string_view{model.spec.name})
            .bind(4, std::string_view{fields});
        if (auto ok = db.run(*add_model, "add a model"); !ok) return fail(ok.error());
        if (auto ok = create_table(db, model); !ok) return fail(ok.error());
    }
    return numbered.id;
}

result<void> drop_generation(connection& db, const generation& gone) {
    for (const auto& model : tables_of(gone)) {
        const auto sql = "DROP TABLE " + model.table();
        if (auto ok = db.execute(sql.c_str()); !ok) return ok;
    }
    for (const auto* sql :
         {"DELETE FROM models WHERE generation=?1", "DELETE FROM generations WHERE id=?1"}) {
        auto remove = db.prepare(sql);
        if (!remove) return fail(remove.error());
        remove->bind(1, gone.id);
        if (auto ok = db.run(*remove, sql); !ok) return ok;
    }
    return {};
}

result<void> catalogue_changed(connection& db) {
    return db.execute("UPDATE catalogue SET changes=changes+1");
}

}  // namespace flexcore::store::sqlite
