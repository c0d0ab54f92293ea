#include "store/sqlite/view_tables.hpp"

#include "store/sqlite/view_scan.hpp"
#include "store/view_errors_impl.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

// Shapes of scans kept per connection; beyond it they are prepared afresh.
constexpr std::size_t scans_kept_max = 64;

}  // namespace

void view_tables::use(model_tables models) {
    models_.clear();
    scans_.clear();
    for (auto& model : models) models_.push_back({std::move(model), {}});
}

const model_table* view_tables::find(std::string_view model) const {
    for (const auto& one : models_) {
        if (one.model.spec.name == model) return &one.model;
    }
    return nullptr;
}

result<view_tables::kept*> view_tables::known(std::string_view model) {
    for (auto& one : models_) {
        if (one.model.spec.name == model) return &one;
    }
    return fail(unknown_model(model));
}

result<std::optional<row>> view_tables::get(std::string_view tenant, std::string_view model,
                                            std::string_view key) {
    const auto found = known(model);
    if (!found) return fail(found.error());
    statement& asked = (*found)->get;
    if (!asked) {
        const auto sql = fmt::format("SELECT row, position FROM {} WHERE tenant=?1 AND key=?2",
                                     (*found)->model.table());
        if (auto ok = db_.prepare(asked, sql); !ok) return fail(ok.error());
    }
    run_scope scope{asked};
    const int code = asked.bind(1, tenant).bind(2, key).step();
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) return fail(db_.failure(code, "read a row"));
    return row{std::string{key}, std::string{asked.blob(0)}, asked.natural(1)};
}

result<statement*> view_tables::prepared(const std::string& sql) {
    if (const auto same = scans_.find(sql); same != scans_.end()) return &same->second;
    if (scans_.size() >= scans_kept_max) scans_.clear();
    auto made = db_.prepare(sql);
    if (!made) return fail(made.error());
    return &(scans_[sql] = std::move(*made));
}

result<row_page> view_tables::scan(std::string_view tenant, std::string_view model,
                                   const scan_query& query) {
    const auto found = known(model);
    if (!found) return fail(found.error());
    const auto& table = (*found)->model;
    if (auto ok = check_scan(table.spec, query); !ok) return fail(ok.error());
    std::optional<scan_place> after;
    if (!query.after.empty()) {
        auto place = decode_cursor(model, query, query.after);
        if (!place) return fail(place.error());
        after = std::move(*place);
    }
    const scan_sql sql = make_scan(table, tenant, query, after ? &*after : nullptr);
    const auto asked = prepared(sql.text);
    if (!asked) return fail(asked.error());
    statement& rows = **asked;
    run_scope scope{rows};
    for (std::size_t i = 0; i < sql.values.size(); ++i) {
        bind_scalar(rows, static_cast<int>(i + 1), sql.values[i]);
    }
    row_page page;
    scan_place last;
    int code = rows.step();
    for (; code == SQLITE_ROW; code = rows.step()) {
        if (page.rows.size() == query.limit) {
            page.next = encode_cursor(model, query, last);
            return page;
        }
        page.rows.push_back(
            {std::string{rows.blob(0)}, std::string{rows.blob(1)}, rows.natural(2)});
        // Only where the page ends matters.
        if (page.rows.size() == query.limit) {
            last.key = page.rows.back().key;
            for (std::size_t i = 0; i < query.order.size(); ++i) {
                last.values.push_back(column_scalar(rows, static_cast<int>(i + 3)));
            }
        }
    }
    if (code != SQLITE_DONE) return fail(db_.failure(code, "scan rows"));
    return page;
}

result<position> view_tables::changed_at(std::string_view model) {
    const auto found = known(model);
    if (!found) return fail(found.error());
    if (!changed_at_) {
        if (auto ok = db_.prepare(
                changed_at_, "SELECT changed_at FROM models WHERE generation=?1 AND number=?2");
            !ok) {
            return fail(ok.error());
        }
    }
    run_scope scope{changed_at_};
    const auto& table = (*found)->model;
    const int code = changed_at_.bind(1, table.owner).bind(2, std::uint64_t{table.number}).step();
    if (code != SQLITE_ROW) return fail(db_.failure(code, "read a model's last change"));
    return changed_at_.natural(0);
}

}  // namespace flexcore::store::sqlite
