// One transaction of the view writer: gathered in memory, written in one statement.

#include "store/postgres/literal.hpp"
#include "store/postgres/view_scan.hpp"
#include "store/postgres/view_session_impl.hpp"
#include "store/postgres/view_value.hpp"
#include "store/row_query_impl.hpp"
#include "store/view_errors_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>
#include <cstring>

namespace flexcore::store::postgres {
namespace {

constexpr sql stands_at{"view_stands_at",
                        "SELECT checkpoint, commits FROM generations WHERE id = $1"};
const std::optional<known_row> none{};

}  // namespace

view_writer::transaction::~transaction() { end(); }

void view_writer::transaction::end() {
    if (std::exchange(ended_, true)) return;
    session_->open = false;
    session_->db->roll_back();
}

result<void> view_writer::transaction::usable() const {
    if (ended_) return fail(transaction_over());
    if (failed_) return fail(*failed_);
    if (session_->stopped) return fail(transaction_lost());
    return {};
}

template <class T>
result<T> view_writer::transaction::kept(result<T> answer) {
    if (!answer && !failed_) failed_ = answer.error();
    return answer;
}

result<std::size_t> view_writer::transaction::number_of(std::string_view model) const {
    for (std::size_t i = 0; i < on_.models.size(); ++i) {
        if (on_.models[i].table.spec.name == model) return i;
    }
    return fail(unknown_model(model));
}

std::string view_writer::transaction::id_of(std::size_t number, std::string_view tenant,
                                            std::string_view key) const {
    const std::uint64_t head[] = {on_.knowledge, number, tenant.size()};
    std::string id;
    id.reserve(sizeof head + tenant.size() + key.size());
    id.append(reinterpret_cast<const char*>(head), sizeof head);
    return id.append(tenant).append(key);
}

const std::optional<known_row>* view_writer::transaction::known(std::size_t number,
                                                                const std::string& id) {
    const auto& changes = writes_[number].changes;
    if (const auto own = changes.find(id); own != changes.end()) return &own->second.content;
    if (const auto* lately = session_->rows.find(id)) return lately;
    const auto& filter = on_.models[number].absent;
    return filter && filter->is_absent(id) ? &none : nullptr;
}

result<std::optional<row>> view_writer::transaction::get(std::string_view tenant,
                                                         std::string_view model,
                                                         std::string_view key) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    const auto number = number_of(model);
    if (!number) return fail(number.error());
    if (!is_storable(tenant) || !is_storable(key)) return std::nullopt;
    const auto id = id_of(*number, tenant, key);
    if (const auto* content = known(*number, id)) {
        if (!*content) return std::nullopt;
        return row{std::string{key}, (*content)->json, (*content)->pos};
    }
    const auto rows =
        kept(session_->db->run(on_.models[*number].get, params{}.add(tenant).add(key)));
    if (!rows) return fail(rows.error());
    std::optional<row> found = row_in(*rows, key);
    // What this transaction has written itself may yet be rolled back.
    if (!in_database_) {
        session_->rows.put(id, found ? std::optional{known_row{found->json, found->pos}} : none);
    }
    return found;
}

result<row_page> view_writer::transaction::scan(std::string_view tenant, std::string_view model,
                                                const scan_query& query) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    const auto number = number_of(model);
    if (!number) return fail(number.error());
    const auto& table = on_.models[*number].table;
    const auto text = scan_text(table, is_storable(tenant) ? tenant : std::string_view{}, query);
    if (!text) return fail(text.error());
    if (auto ok = flush(); !ok) return fail(std::move(ok.error()));
    const auto rows = kept(session_->db->script(*text));
    if (!rows) return fail(rows.error());
    return page_in(*rows, table, query);
}

result<position> view_writer::transaction::changed_at(std::string_view model) {
    if (auto ok = usable(); !ok) return fail(std::move(ok.error()));
    const auto number = number_of(model);
    if (!number) return fail(number.error());
    if (auto ok = flush(); !ok) return fail(std::move(ok.error()));
    const auto rows = kept(session_->db->script(changed_at_text(on_.models[*number].table)));
    if (!rows) return fail(rows.error());
    return rows->empty() ? position{0} : (*rows)[0][0].as<position>();
}

result<void> view_writer::transaction::add(std::size_t number, const std::string& id, change made) {
    gathered_bytes_ += 2 * id.size() + (made.content ? made.content->json.size() : 0);
    for (const auto& column : made.columns) gathered_bytes_ += column.size();
    writes_[number].changes.insert_or_assign(id, std::move(made));
    if (gathered_bytes_ < gathered_bytes_max) return {};
    if (auto ok = flush(); !ok) return ok;
    for (auto& writes : writes_) writes.changes.clear();
    gathered_bytes_ = 0;
    return {};
}

result<void> view_writer::transaction::put(std::string_view tenant, std::string_view model,
                                           std::string_view key, std::string_view json,
                                           position pos) {
    if (auto ok = usable(); !ok) return ok;
    const auto number = number_of(model);
    if (!number) return fail(number.error());
    if (!is_storable(tenant) || !is_storable(key)) {
        return fail(store_errc::invalid_request, "a key of a read model is no text");
    }
    auto& on = on_.models[*number];
    const auto values = indexed_values(json, on.table.spec.indexed);
    if (!values) return fail(values.error());
    const auto id = id_of(*number, tenant, key);
    change made{.tenant = std::string{tenant},
                .key = std::string{key},
                .content = known_row{std::string{json}, pos},
                .columns = {},
                .pos = pos};
    for (const auto& value : *values) made.columns.push_back(column_bytes(value));
    if (on.absent) on.absent->add(id);
    auto& changed_at = writes_[*number].changed_at;
    changed_at = std::max(changed_at, pos);
    return add(*number, id, std::move(made));
}

result<void> view_writer::transaction::remove(std::string_view tenant, std::string_view model,
                                              std::string_view key, position pos) {
    if (auto ok = usable(); !ok) return ok;
    const auto number = number_of(model);
    if (!number) return fail(number.error());
    if (!is_storable(tenant) || !is_storable(key)) return {};
    const auto id = id_of(*number, tenant, key);
    const auto* content = known(*number, id);
    if (content != nullptr && !*content) return {};
    if (content != nullptr) {
        auto& changed_at = writes_[*number].changed_at;
        changed_at = std::max(changed_at, pos);
    }
    return add(*number, id,
               {.tenant = std::string{tenant},
                .key = std::string{key},
                .content = {},
                .columns = {},
                .pos = pos,
                .perhaps = content == nullptr});
}

params view_writer::transaction::parameters(position new_checkpoint) const {
    params with;
    with.add(checkpoint_).add(commits_).add(new_checkpoint);
    for (std::size_t m = 0; m < writes_.size(); ++m) {
        array_text put_tenants, put_keys, put_positions, put_rows, tenants, keys, positions;
        std::vector<array_text> columns(on_.models[m].table.spec.indexed.size());
        for (const auto& [id, one] : writes_[m].changes) {
            if (one.written) continue;
            if (!one.content) {
                tenants.add(one.tenant);
                keys.add(one.key);
                positions.add(one.perhaps ? one.pos : position{0});
                continue;
            }
            put_tenants.add(one.tenant);
            put_keys.add(one.key);
            put_positions.add(one.pos);
            put_rows.add(one.content->json);
            for (std::size_t f = 0; f < columns.size(); ++f) {
                columns[f].add(bytes_text(one.columns[f]));
            }
        }
        with.add(put_tenants).add(put_keys).add(put_positions).add(put_rows);
        for (const auto& column : columns) with.add(column);
        with.add(tenants).add(keys).add(positions).add(writes_[m].changed_at);
    }
    return with;
}

error view_writer::transaction::why_not_written() {
    const auto found = session_->db->run(stands_at, params{}.add(id_));
    if (!found) return found.error();
    if (found->empty()) return unknown_generation(id_);
    return checkpoint_elsewhere((*found)[0][0].as<position>(), checkpoint_);
}

result<void> view_writer::transaction::write(position new_checkpoint) {
    const auto answer = session_->db->run(on_.commit, parameters(new_checkpoint));
    if (!answer && answer.error().code == base_errc::internal && !in_database_) {
        // Its tables may be gone, and with them the generation.
        if (auto why = why_not_written(); why.code == store_errc::unknown_generation)
            return fail(std::move(why));
    }
    if (!answer) return fail(answer.error());
    if ((*answer)[0][0].as<std::int64_t>() == 0) return fail(why_not_written());
    checkpoint_ = new_checkpoint;
    ++commits_;
    for (auto& writes : writes_) {
        for (auto& [id, one] : writes.changes) one.written = true;
    }
    return {};
}

result<void> view_writer::transaction::flush() {
    const bool gathered =
        std::any_of(writes_.begin(), writes_.end(), [](const model_writes& writes) {
            return std::any_of(writes.changes.begin(), writes.changes.end(),
                               [](const auto& entry) { return !entry.second.written; });
        });
    if (!gathered) return {};
    if (!in_database_) {
        if (auto ok = kept(session_->db->begin()); !ok) return ok;
        in_database_ = true;
    }
    // From now on the rows are known as this transaction leaves them, and only if it commits.
    for (const auto& writes : writes_) {
        for (const auto& [id, one] : writes.changes) session_->rows.forget(id);
    }
    return kept(write(checkpoint_));
}

void view_writer::transaction::remember_rows() {
    on_.commits = commits_;
    for (auto& writes : writes_) {
        for (auto& [id, one] : writes.changes) session_->rows.put(id, std::move(one.content));
    }
}

result<void> view_writer::transaction::commit(position new_checkpoint) {
    if (ended_) return fail(transaction_over());
    if (new_checkpoint < checkpoint_) return fail(checkpoint_goes_back());
    auto done = usable();
    readers_->fix();
    if (done) done = write(new_checkpoint);
    if (done && in_database_) done = session_->db->commit();
    if (done) remember_rows();
    end();
    return done;
}

}  // namespace flexcore::store::postgres
