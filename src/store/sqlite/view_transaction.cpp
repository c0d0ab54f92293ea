// One transaction of the view writer: rows, last changes and checkpoint, together.

#include "store/row_query_impl.hpp"
#include "store/sqlite/view_session_impl.hpp"
#include "store/view_errors_impl.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

/// The first of the parameters that carry the indexed fields.
constexpr int field_parameter = 5;

std::string put_sql(const model_table& model) {
    std::string columns = "tenant, key, position, row";
    std::string values = "?1, ?2, ?3, ?4";
    std::string changes = "position=excluded.position, row=excluded.row";
    for (std::size_t f = 0; f < model.spec.indexed.size(); ++f) {
        const auto column = model_table::column(f);
        columns += ", " + column;
        values += fmt::format(", ?{}", field_parameter + static_cast<int>(f));
        changes += fmt::format(", {0}=excluded.{0}", column);
    }
    return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT (tenant, key) DO UPDATE SET {}",
                       model.table(), columns, values, changes);
}

}  // namespace

view_writer::transaction::~transaction() { end(); }

void view_writer::transaction::end() {
    if (std::exchange(ended_, true)) return;
    session_->open = false;
    session_->roll_back();
    for (auto& writes : on_.writes) writes.changed_at = 0;
}

result<void> view_writer::transaction::usable() const {
    if (ended_) return fail(transaction_over());
    if (failed_) return fail(*failed_);
    if (!session_->db.in_transaction()) return fail(transaction_lost());
    return {};
}

template <class T>
result<T> view_writer::transaction::kept(result<T> answer) {
    const bool of_the_store = !answer && (answer.error().code == store_errc::unavailable ||
                                          answer.error().code == store_errc::corrupt ||
                                          answer.error().code == store_errc::full);
    if (of_the_store && !failed_) failed_ = answer.error();
    return session_->noted(std::move(answer));
}

result<std::optional<row>> view_writer::transaction::get(std::string_view tenant,
                                                         std::string_view model,
                                                         std::string_view key) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    return kept(on_.tables.get(tenant, model, key));
}

result<row_page> view_writer::transaction::scan(std::string_view tenant, std::string_view model,
                                                const scan_query& query) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    return kept(on_.tables.scan(tenant, model, query));
}

result<position> view_writer::transaction::changed_at(std::string_view model) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    const auto writes = writes_of(model);
    if (!writes) return fail(writes.error());
    auto before = kept(on_.tables.changed_at(model));
    if (!before) return before;
    return std::max(*before, (*writes)->changed_at);
}

result<view_writer::session::model_writes*> view_writer::transaction::writes_of(
    std::string_view model) {
    for (auto& writes : on_.writes) {
        if (writes.model.spec.name == model) return &writes;
    }
    return fail(unknown_model(model));
}

result<void> view_writer::transaction::put(std::string_view tenant, std::string_view model,
                                           std::string_view key, std::string_view json,
                                           position pos) {
    if (auto ok = usable(); !ok) return ok;
    const auto found = writes_of(model);
    if (!found) return fail(found.error());
    auto& writes = **found;
    const auto values = indexed_values(json, writes.model.spec.indexed);
    if (!values) return fail(values.error());
    if (!writes.put) {
        auto ok = kept(session_->db.prepare(writes.put, put_sql(writes.model)));
        if (!ok) return ok;
    }
    writes.put.bind(1, tenant).bind(2, key).bind(3, pos).bind(4, json);
    for (std::size_t f = 0; f < values->size(); ++f) {
        bind_scalar(writes.put, field_parameter + static_cast<int>(f), (*values)[f]);
    }
    auto done = kept(session_->db.run(writes.put, "put a row"));
    if (done) writes.changed_at = std::max(writes.changed_at, pos);
    return done;
}

result<void> view_writer::transaction::remove(std::string_view tenant, std::string_view model,
                                              std::string_view key, position pos) {
    if (auto ok = usable(); !ok) return ok;
    const auto found = writes_of(model);
    if (!found) return fail(found.error());
    auto& writes = **found;
    if (!writes.remove) {
        const auto sql =
            fmt::format("DELETE FROM {} WHERE tenant=?1 AND key=?2", writes.model.table());
        auto ok = kept(session_->db.prepare(writes.remove, sql));
        if (!ok) return ok;
    }
    writes.remove.bind(1, tenant).bind(2, key);
    auto done = kept(session_->db.run(writes.remove, "remove a row"));
    if (done && sqlite3_changes(session_->db.get()) != 0) {
        writes.changed_at = std::max(writes.changed_at, pos);
    }
    return done;
}

result<void> view_writer::transaction::write_changes(position new_checkpoint) {
    auto& db = session_->db;
    for (const auto& writes : on_.writes) {
        if (writes.changed_at == 0) continue;
        session_->set_changed_at.bind(1, writes.model.owner)
            .bind(2, std::uint64_t{writes.model.number})
            .bind(3, writes.changed_at);
        if (auto ok = db.run(session_->set_changed_at, "note a change"); !ok) return ok;
    }
    session_->set_checkpoint.bind(1, id_).bind(2, new_checkpoint);
    if (auto ok = db.run(session_->set_checkpoint, "move the checkpoint"); !ok) return ok;
    return db.run(session_->commit, "commit read models");
}

result<void> view_writer::transaction::commit(position new_checkpoint) {
    if (ended_) return fail(transaction_over());
    if (new_checkpoint < checkpoint_) return fail(checkpoint_goes_back());
    auto done = usable();
    if (done) done = session_->noted(write_changes(new_checkpoint));
    end();
    return done;
}

}  // namespace flexcore::store::sqlite
