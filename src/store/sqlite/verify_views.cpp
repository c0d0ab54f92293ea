#include "store/row_query_impl.hpp"
#include "store/sqlite/verify_impl.hpp"
#include "store/sqlite/view_catalogue.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

constexpr const char* file_name = "views.db";
constexpr std::uint64_t rows_per_step = 10'000;

class view_look {
public:
    view_look(verifying& look, connection& db) : look_{look}, db_{db} {}

    /// One moment: rows, checkpoints and catalogue belong together.
    result<void> run() {
        if (auto ok = db_.execute("BEGIN"); !ok) return ok;
        auto done = look_at_all();
        db_.roll_back();
        return done;
    }

private:
    result<void> look_at_all() {
        const auto all = read_generations(db_);
        if (!all) return fail(all.error());
        for (const auto& one : *all) {
            // Beside a running server the log may have grown since it was looked at.
            const bool ahead = look_.report().log_read && !look_.report().in_use &&
                               one.checkpoint > look_.report().head;
            if (ahead) {
                found(fmt::format("projection {} stands at {}, and the log ends at {}",
                                  one.projection, one.checkpoint, look_.report().head));
            }
            for (const auto& model : tables_of(one)) {
                if (auto ok = check(model, one.checkpoint); !ok) return ok;
            }
        }
        return {};
    }
    void found(std::string what) {
        look_.found({.file = file_name, .what = std::move(what), .remedy = remedy_for(file_name)});
    }

    result<void> check(const model_table& model, position checkpoint) {
        std::string columns = "key, row, position";
        for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
            columns += ", " + model_table::column(f);
        }
        auto rows = db_.prepare(fmt::format("SELECT {} FROM {}", columns, model.table()));
        if (!rows) return as_damage(rows.error(), model);
        const std::string step = fmt::format("{}: {}", file_name, model.spec.name);
        ++look_.report().read_models;
        std::uint64_t count = 0;
        int code = rows->step();
        for (; code == SQLITE_ROW; code = rows->step(), ++count) {
            check_row(*rows, model, checkpoint);
            if (count % rows_per_step == 0) look_.step(step, count, 0);
        }
        look_.report().rows += count;
        if (code != SQLITE_DONE) return as_damage(db_.failure(code, "read rows"), model);
        return {};
    }
    /// The other models are looked at all the same.
    result<void> as_damage(error met, const model_table& model) {
        // SQLITE_ERROR: a table or column that the catalogue names is not there.
        if ((sqlite3_errcode(db_.get()) & 0xff) == SQLITE_ERROR) met.code = store_errc::corrupt;
        if (met.code != store_errc::corrupt) return fail(std::move(met));
        found(fmt::format("read model {} cannot be read: {}", model.spec.name,
                          reason_of(met, db_.file())));
        return {};
    }
    void check_row(const statement& at, const model_table& model, position checkpoint) {
        const std::string_view key = at.blob(0);
        const auto values = indexed_values(at.blob(1), model.spec.indexed);
        if (!values) {
            found(fmt::format("read model {}: the row {} is no JSON object", model.spec.name, key));
            return;
        }
        if (at.natural(2) > checkpoint) {
            found(fmt::format("read model {}: the row {} is of event {}, after the checkpoint {}",
                              model.spec.name, key, at.natural(2), checkpoint));
        }
        for (std::size_t f = 0; f < values->size(); ++f) {
            const auto stored = column_scalar(at, static_cast<int>(f) + 3);
            if (compare_scalars(normalized(stored), (*values)[f]) != std::strong_ordering::equal) {
                found(fmt::format("read model {}: the row {} is indexed with another {}",
                                  model.spec.name, key, model.spec.indexed[f]));
            }
        }
    }

    verifying& look_;
    connection& db_;
};

}  // namespace

result<void> verify_views(verifying& look, const std::filesystem::path& file) {
    auto db = connection::open({.file = file});
    if (!db) return as_finding(look, file, fail(std::move(db.error())));
    if (auto ok = as_finding(look, file, view_look{look, *db}.run()); !ok) return ok;
    return verify_structure(look, *db);
}

}  // namespace flexcore::store::sqlite
