// The part of `verify` for PostgreSQL that looks at what is derived from the log.
#include "store/postgres/literal.hpp"
#include "store/postgres/verify_impl.hpp"
#include "store/postgres/view_catalogue.hpp"
#include "store/postgres/view_value.hpp"
#include "store/row_query_impl.hpp"
#include "store/snapshot_checksum_impl.hpp"

#include <fmt/format.h>
#include <pqxx/binarystring>
#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr int rows_per_read = 2'000;

std::string_view text(const pqxx::row& one, int column) {
    return {one[column].c_str(), one[column].size()};
}

/// Rows of `table` after a place in the order of `key`, at most rows_per_read and about
/// verified_bytes_max; never none while there are some.
std::string page_text(std::string_view columns, std::string_view table, std::string_view after,
                      std::string_view key, std::string_view bytes) {
    return fmt::format(
        "SELECT {0} FROM (SELECT r.*, coalesce(sum({4}) OVER (ORDER BY {3} ROWS BETWEEN UNBOUNDED"
        " PRECEDING AND 1 PRECEDING), 0) AS bytes FROM (SELECT * FROM {1} WHERE {2} ORDER BY {3}"
        " LIMIT {5}) r) r WHERE bytes < {6} ORDER BY {3}",
        columns, table, after, key, bytes, rows_per_read, verified_bytes_max);
}

class view_look {
public:
    explicit view_look(verification& look) : look_{look} {}

    result<void> run() {
        const auto all = look_.asked([](connection& db) { return read_generations(db); });
        if (!all) return look_.as_finding("generations", views_remedy, fail(all.error()));
        for (const auto& one : *all) {
            if (look_.report().log_read && one.checkpoint > look_.report().head) {
                found("generations",
                      fmt::format("projection {} stands at {}, and the log ends at {}",
                                  one.projection, one.checkpoint, look_.report().head));
            }
            for (const auto& model : tables_of(one)) {
                auto done = check(model, one.checkpoint);
                // A table or column that the catalogue names is not there.
                for (const char* state : {"SQLSTATE 42P01", "SQLSTATE 42703"}) {
                    if (!done && done.error().log.find(state) != std::string::npos)
                        done.error().code = store_errc::corrupt;
                }
                if (!done && done.error().code == store_errc::corrupt) {
                    found(model.table(), fmt::format("read model {} cannot be read: {}",
                                                     model.spec.name, reason_of(done.error())));
                } else if (!done) {
                    return fail(for_operator(done.error()));
                }
            }
        }
        return check_catalogue();
    }

private:
    void found(std::string_view table, std::string what) {
        look_.found(table, std::move(what), views_remedy);
    }
    result<void> check_catalogue() {
        if (!look_.has("catalogue")) return {};
        const auto rows = look_.ask(
            "SELECT count(*) FROM catalogue WHERE last_generation >= coalesce((SELECT max(id) FROM"
            " generations), 0)");
        if (!rows) return look_.as_finding("catalogue", views_remedy, fail(rows.error()));
        if ((*rows)[0][0].as<int>() != 1)
            found("catalogue", "numbers of read models are given out that are in use already");
        return {};
    }
    result<void> check(const model_table& model, position checkpoint) {
        ++look_.report().read_models;
        std::string columns = "tenant, key, row, position";
        for (std::size_t f = 0; f < model.spec.indexed.size(); ++f)
            columns += ", " + model_table::column(f);
        const auto page =
            page_text(columns, model.table(), "(tenant, key) > ($1::text COLLATE \"C\", $2)",
                      "tenant, key", "octet_length(row)");
        const std::string step = "read models: " + model.spec.name;
        std::string tenant, key;
        for (std::uint64_t count = 0;;) {
            const auto rows = look_.asked(
                [&](connection& db) { return db.run_once(page, params{}.add(tenant).add(key)); });
            if (!rows) return fail(rows.error());
            if (rows->empty()) return {};
            for (const auto& row : *rows) check_row(row, model, checkpoint);
            tenant = rows->back()[0].as<std::string>();
            key = rows->back()[1].as<std::string>();
            count += static_cast<std::uint64_t>(rows->size());
            look_.report().rows += static_cast<std::uint64_t>(rows->size());
            look_.step(step, count, 0);
        }
    }
    void check_row(const pqxx::row& row, const model_table& model, position checkpoint) {
        const auto key = text(row, 1);
        const auto values = indexed_values(text(row, 2), model.spec.indexed);
        if (!values) {
            return found(model.table(), fmt::format("read model {}: the row {} is no JSON object",
                                                    model.spec.name, key));
        }
        const auto at = row[3].as<position>();
        if (at > checkpoint) {
            found(model.table(),
                  fmt::format("read model {}: the row {} is of event {}, after the checkpoint {}",
                              model.spec.name, key, at, checkpoint));
        }
        for (std::size_t f = 0; f < values->size(); ++f) {
            if (text(row, static_cast<int>(f) + 4) == bytes_text(column_bytes((*values)[f])))
                continue;
            found(model.table(), fmt::format("read model {}: the row {} is indexed with another {}",
                                             model.spec.name, key, model.spec.indexed[f]));
        }
    }

    verification& look_;
};

result<void> walk_snapshots(verification& look) {
    const auto page =
        page_text("tenant, stream, reducer, version, event_id, checksum, state", "snapshots",
                  "(tenant, stream, reducer) > ($1::text COLLATE \"C\", $2, $3)",
                  "tenant, stream, reducer", "octet_length(state)");
    std::string tenant, stream;
    std::int64_t reducer = 0;
    for (;;) {
        const auto rows = look.ask(page, params{}.add(tenant).add(stream).add(reducer));
        if (!rows) return fail(rows.error());
        if (rows->empty()) return {};
        for (const auto& row : *rows) {
            tenant = row[0].as<std::string>();
            stream = row[1].as<std::string>();
            reducer = row[2].as<std::int64_t>();
            const auto id = parse_uuid(row[4].c_str()).value_or(uuid{});
            const pqxx::binarystring state{row[6]};
            const auto sum =
                snapshot_checksum(tenant, stream, static_cast<std::uint32_t>(reducer),
                                  static_cast<version>(row[3].as<std::int64_t>()),
                                  {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()},
                                  {reinterpret_cast<const char*>(state.data()), state.size()});
            if (static_cast<std::int64_t>(sum) != row[5].as<std::int64_t>()) {
                look.found("snapshots",
                           fmt::format("the snapshot of {} is not what was written", stream),
                           snapshots_remedy);
            }
        }
        look.report().snapshots += static_cast<std::uint64_t>(rows->size());
        look.step("snapshots", look.report().snapshots, 0);
    }
}

}  // namespace

result<void> verify_views(verification& look) { return view_look{look}.run(); }

result<void> verify_snapshots(verification& look) {
    return look.as_finding("snapshots", snapshots_remedy, walk_snapshots(look));
}

}  // namespace flexcore::store::postgres
