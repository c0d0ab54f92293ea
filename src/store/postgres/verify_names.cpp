// The part of `verify` for PostgreSQL that looks at what the log holds besides its events.
#include "base/names.hpp"
#include "store/postgres/verify_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr int streams_per_read = 5'000;
constexpr const char* step_streams = "streams";

/// A count of rows that are not as they should be, and what is said of them.
struct expectation {
    const char* table;
    const char* text;
    const char* what;  ///< {} of them
};
constexpr expectation expectations[] = {
    {"names",
     "SELECT count(*) FROM names n WHERE n.kind NOT BETWEEN 1 AND 4 OR n.kind = 1 AND"
     " n.tenant <> 0 OR n.kind > 1 AND NOT EXISTS (SELECT FROM names t WHERE t.id = n.tenant AND"
     " t.kind = 1)",
     "{} names belong to no tenant"},
    {"log_head",
     "SELECT count(*) FROM (SELECT max(id) AS id FROM names UNION ALL SELECT max(id) FROM streams)"
     " u WHERE u.id > (SELECT last_id FROM log_head)",
     "ids of names or streams are given out that are in use already"},
    {"idempotency_keys",
     "SELECT count(*) FROM idempotency_keys k WHERE NOT EXISTS (SELECT FROM names t WHERE"
     " t.id = k.tenant AND t.kind = 1)",
     "{} idempotency keys belong to no tenant"},
    {"stream_rules",
     "SELECT count(*) FROM stream_rules r WHERE NOT EXISTS (SELECT FROM streams s WHERE"
     " s.id = r.stream AND s.tenant = r.tenant) OR r.deleted NOT BETWEEN 0 AND 2 OR"
     " least(r.max_age_us, r.max_count, r.truncate_before, r.deleted_to) < 0 OR"
     " r.changed_at > (SELECT changes FROM log_head)",
     "{} rules of streams are not what a server writes"},
    {"removed_ids",
     "SELECT count(*) FROM removed_ids r WHERE NOT coalesce((SELECT h.last >= r.position FROM"
     " holes h WHERE h.first <= r.position ORDER BY h.first DESC LIMIT 1), false)",
     "{} ids are kept as those of removed events, and no hole is recorded there"},
    {"removed_ids",
     "SELECT count(*) FROM removed_ids r WHERE NOT EXISTS (SELECT FROM streams s WHERE"
     " s.id = r.stream AND s.tenant = r.tenant)",
     "{} ids of removed events belong to no stream"},
};

class name_look {
public:
    explicit name_look(verification& look) : look_{look} {}

    result<void> run() {
        if (auto ok = look_.as_finding("streams", log_remedy, walk_streams()); !ok) return ok;
        for (const auto& one : expectations) {
            if (!look_.has(one.table)) continue;
            const auto rows = look_.ask(one.text);
            if (!rows) {
                if (auto ok = look_.as_finding(one.table, log_remedy, fail(rows.error())); !ok)
                    return ok;
                continue;
            }
            const auto count = (*rows)[0][0].as<std::uint64_t>();
            if (count != 0)
                look_.found(one.table, fmt::format(fmt::runtime(one.what), count), log_remedy);
        }
        if (!look_.has("idempotency_keys")) return {};
        const auto keys = look_.ask("SELECT count(*) FROM idempotency_keys");
        if (keys) look_.report().keys = (*keys)[0][0].as<std::uint64_t>();
        return {};
    }

private:
    /// By id. A name that was changed fails the checksums of its events.
    result<void> walk_streams() {
        std::int64_t after = 0;
        for (;;) {
            const auto rows = look_.ask(
                "SELECT s.id, s.name, s.tenant, t.name, c.name, c.tenant, same.id FROM (SELECT *"
                " FROM streams WHERE id > $1 ORDER BY id LIMIT $2) s"
                " LEFT JOIN LATERAL (SELECT n.name FROM names n WHERE n.id = s.tenant AND"
                " n.kind = 1 LIMIT 1) t ON true"
                " LEFT JOIN LATERAL (SELECT n.name, n.tenant FROM names n WHERE n.id = s.category"
                " AND n.kind = 2 LIMIT 1) c ON true"
                " LEFT JOIN LATERAL (SELECT x.id FROM streams x WHERE x.tenant = s.tenant AND"
                " x.name = s.name LIMIT 1) same ON true ORDER BY s.id",
                params{}.add(after).add(streams_per_read));
            if (!rows) return fail(rows.error());
            for (const auto& row : *rows) {
                after = row[0].as<std::int64_t>();
                const std::string_view name{row[1].c_str(), row[1].size()};
                if (row[3].is_null() || row[4].is_null() || row[2] != row[5] ||
                    category_of(name) != row[4].c_str()) {
                    look_.found(
                        "streams",
                        fmt::format("the stream {} belongs to names that do not fit it", name),
                        log_remedy);
                }
                if (row[6] != row[0]) {
                    look_.found("streams",
                                fmt::format("the stream {} is not found by its name", name),
                                log_remedy);
                }
            }
            look_.report().streams += static_cast<std::uint64_t>(rows->size());
            look_.step(step_streams, look_.report().streams, 0);
            if (static_cast<int>(rows->size()) < streams_per_read) return {};
        }
    }

    verification& look_;
};

}  // namespace

result<void> verify_names(verification& look) { return name_look{look}.run(); }

}  // namespace flexcore::store::postgres
