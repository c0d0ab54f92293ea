#include "store/postgres/event_reader.hpp"

#include "base/names.hpp"
#include "store/postgres/event_row.hpp"
#include "store/postgres/event_scan.hpp"
#include "store/read_limits_impl.hpp"
#include "store/stream_rules_impl.hpp"

#include <pqxx/binarystring>
#include <pqxx/result>

#include <algorithm>
#include <limits>

namespace flexcore::store::postgres {
namespace {

constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

/// The tenant named $1, as `n`.
constexpr std::string_view tenant_named = "names n WHERE n.kind = 1 AND n.tenant = 0 AND n.name = ";
constexpr const char* last_version = "(SELECT max(l.version) FROM events l WHERE l.stream = s.id)";

/// The stream $2 of the tenant $1 and what holds for it: `first`, the first version that may be
/// shown. One row, or none.
std::string stream_with(std::string_view first) {
    return fmt::format(
        "SELECT s.id, coalesce(r.deleted, 0) AS deleted, coalesce(r.deleted_to, 0) AS deleted_to,"
        " {} AS first FROM (SELECT s.id FROM streams s WHERE s.name = $2"
        " AND s.tenant = (SELECT n.id FROM {}$1) LIMIT 1) s"
        " LEFT JOIN LATERAL (SELECT * FROM stream_rules r WHERE r.stream = s.id LIMIT 1) r ON true",
        first, tenant_named);
}

/// As stream_rules::first_served. Times ascend with versions, so where age begins to count is found
/// by halving; a version that is gone already stands for the next one there is.
std::string first_served() {
    return fmt::format(
        "CASE WHEN r.stream IS NULL THEN 1 ELSE greatest(r.deleted_to + 1, r.truncate_before,"
        " CASE WHEN r.max_count <> 0 THEN {0} - r.max_count + 1 END,"
        " CASE WHEN r.max_age_us <> 0 THEN (WITH RECURSIVE halving(low, high) AS ("
        "SELECT 1::bigint, {0} + 1"
        " UNION ALL SELECT CASE WHEN m.recorded_at < $5 - r.max_age_us THEN m.version + 1"
        " ELSE h.low END,"
        " CASE WHEN m.recorded_at < $5 - r.max_age_us THEN h.high ELSE (h.low + h.high) / 2 END"
        " FROM halving h CROSS JOIN LATERAL (SELECT l.version, l.recorded_at FROM events l"
        " WHERE l.stream = s.id AND l.version >= (h.low + h.high) / 2 ORDER BY l.version LIMIT 1) m"
        " WHERE h.low < h.high) SELECT max(low) FROM halving) END) END",
        last_version);
}

/// A page of a stream; $3: from which version, $4: rows. One row with nulls when it is empty, none
/// when there is no such stream.
std::string stream_page_of(std::string_view first, std::string_view range, std::string_view shown,
                           std::string_view order) {
    return fmt::format(
        "SELECT e.*, s.deleted, s.deleted_to FROM ({} OFFSET 0) s LEFT JOIN LATERAL ({}) e ON true"
        " ORDER BY e.{}",
        stream_with(first),
        page_of(fmt::format("SELECT e.* FROM events e WHERE e.stream = s.id AND {} AND {}"
                            " ORDER BY e.{} LIMIT $4",
                            range, shown, order),
                order),
        order);
}

/// What is said of a stream, after `FROM … s`.
constexpr const char* info_columns =
    "SELECT s.name, s.created_at, coalesce(l.version, 0), coalesce(l.recorded_at, s.created_at),"
    " coalesce(r.max_age_us, 0), coalesce(r.max_count, 0), coalesce(r.truncate_before, 0),"
    " coalesce(r.deleted, 0)";
constexpr const char* info_joins =
    " LEFT JOIN LATERAL (SELECT l.version, l.recorded_at FROM events l WHERE l.stream = s.id"
    " ORDER BY l.version DESC LIMIT 1) l ON true";
constexpr const char* rules_of_stream =
    " LEFT JOIN LATERAL (SELECT * FROM stream_rules r WHERE r.stream = s.id LIMIT 1) r ON true";

struct texts {
    const std::string forward = stream_page_of(first_served(), "e.version >= greatest($3, s.first)",
                                               "s.deleted = 0", "version");
    // $5 is used only where a stream has a maximal age; so it has its type here.
    const std::string backward =
        stream_page_of(first_served(), "e.version <= $3 AND e.version >= s.first", "s.deleted = 0",
                       "version DESC");
    const std::string history =
        stream_page_of("coalesce(r.deleted_to, 0) + 1", "e.version >= greatest($3, s.first)",
                       "s.deleted <> 2", "version");
    const std::string there = fmt::format(
        "SELECT 1 FROM streams s WHERE s.name = $2 AND s.tenant = (SELECT n.id FROM {}$1) LIMIT 1",
        tenant_named);
    const std::string by_id =
        page_of(fmt::format("SELECT e.* FROM (SELECT * FROM events e WHERE e.id = $2 AND e.tenant ="
                            " (SELECT n.id FROM {}$1) LIMIT 1) e{} WHERE {}",
                            tenant_named, with_rules, is_served("$3::bigint")),
                "position");
    const std::string info = fmt::format(
        "{} FROM (SELECT * FROM streams s WHERE s.name = $2 AND s.tenant = (SELECT n.id FROM {}$1)"
        " LIMIT 1) s{}{}",
        info_columns, tenant_named, info_joins, rules_of_stream);
    // $2 to $3: the range of names, without $2 itself unless $4; $5: the category, or empty.
    const std::string list = fmt::format(
        "{0} FROM (SELECT s.* FROM streams s{1} WHERE s.tenant = (SELECT n.id FROM {2}$1)"
        " AND s.name >= $2 AND s.name <= $3 AND ($4 OR s.name <> $2) AND ($5 = '' OR s.category ="
        " (SELECT n.id FROM names n WHERE {4} LIMIT 1)) AND coalesce(r.deleted, 0) = 0"
        " ORDER BY s.name LIMIT $6) s{3}{1} ORDER BY s.name",
        info_columns, rules_of_stream, tenant_named, info_joins,
        is_name_of("2", fmt::format("(SELECT n.id FROM {}$1)", tenant_named), "$5"));
    const std::string answer = fmt::format(
        "SELECT k.fingerprint, k.answer FROM idempotency_keys k WHERE k.tenant ="
        " (SELECT n.id FROM {}$1) AND k.key = $2 AND k.expires_at > $3",
        tenant_named);
    const std::string all = page_of(
        "SELECT e.* FROM events e WHERE e.position >= $1 AND e.position <= $2"
        " ORDER BY e.position LIMIT $3",
        "position");
};

const texts& all_texts() {
    static const texts made;
    return made;
}

std::int64_t at_most_highest(std::uint64_t n) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(n, highest));
}

result<stream_page> page_from(const pqxx::result& rows, std::string_view stream, std::size_t limit,
                              bool waits) {
    if (rows.empty()) return fail(no_such_stream(stream));
    const auto deleted = static_cast<deletion>(integer(rows, 0, after_page(0)));
    if (deleted == deletion::forever) return fail(stream_is_deleted(stream));
    if (deleted == deletion::soft && !waits) return fail(no_such_stream(stream));
    event_page events{limit};
    stream_page page;
    page.base = static_cast<version>(integer(rows, 0, after_page(1)));
    const int count = is_null(rows, 0, column::position) ? 0 : static_cast<int>(rows.size());
    for (int row = 0; row < count; ++row) {
        if (events.full()) {
            page.next = static_cast<version>(integer(rows, row, column::version));
            break;
        }
        if (auto ok = add_row(rows, row, events); !ok) return fail(ok.error());
    }
    page.batch = std::move(events).finish();
    return page;
}

stream_info info_from(const pqxx::result& rows, int row) {
    const auto number = [&](int at) { return integer(rows, row, static_cast<column>(at)); };
    stream_rules rules;
    rules.max_age_us = number(4);
    rules.max_count = static_cast<std::uint64_t>(number(5));
    rules.truncate_before = static_cast<version>(number(6));
    return {.stream = std::string{text(rows, row, static_cast<column>(0))},
            .ver = static_cast<version>(number(2)),
            .created_at = number(1),
            .updated_at = number(3),
            .settings = rules.settings()};
}

}  // namespace

event_reader::event_reader(std::shared_ptr<sessions> pool, log_writer::clock clock)
    : sessions_{std::move(pool)}, clock_{std::move(clock)} {}

result<stream_page> event_reader::read_stream(std::string_view tenant, std::string_view stream,
                                              version from, std::size_t limit, direction way) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    if (!is_storable(tenant) || !is_storable(stream)) return fail(no_such_stream(stream));
    const bool forward = way == direction::forward;
    if (!forward && from == 0) from = highest;
    const sql asked = forward ? sql{"stream_forward", all_texts().forward.c_str()}
                              : sql{"stream_backward", all_texts().backward.c_str()};
    const auto rows_asked = rows_max(limit);
    return reading(*sessions_, [&](connection& db) -> result<stream_page> {
        const auto rows = db.run(asked, params{}
                                            .add(tenant)
                                            .add(stream)
                                            .add(at_most_highest(from))
                                            .add(rows_asked + 1)
                                            .add(clock_()));
        if (!rows) return fail(rows.error());
        auto page = page_from(*rows, stream, rows_asked, false);
        if (page) page->base = 0;
        return page;
    });
}

result<stream_page> event_reader::read_history(std::string_view tenant, std::string_view stream,
                                               version from, std::size_t limit) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    if (!is_storable(tenant) || !is_storable(stream)) return fail(no_such_stream(stream));
    const auto rows_asked = rows_max(limit);
    return reading(*sessions_, [&](connection& db) -> result<stream_page> {
        // Who begins with the first is often the first to write: a page's statement takes longer to
        // set up than this one takes altogether.
        if (from <= 1) {
            const auto there = db.run({"stream_there", all_texts().there.c_str()},
                                      params{}.add(tenant).add(stream));
            if (!there) return fail(there.error());
            if (there->empty()) return fail(no_such_stream(stream));
        }
        const auto rows =
            db.run({"stream_history", all_texts().history.c_str()},
                   params{}.add(tenant).add(stream).add(at_most_highest(from)).add(rows_asked + 1));
        if (!rows) return fail(rows.error());
        return page_from(*rows, stream, rows_asked, true);
    });
}

result<log_page> event_reader::read_log(const log_filter& filter, position after, std::size_t limit,
                                        direction way, position head) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    return reading(*sessions_, [&](connection& db) -> result<log_page> {
        return scan_log(db, filter,
                        {.after = after,
                         .limit = rows_max(limit),
                         .way = way,
                         .head = std::min<position>(head, highest - 1),
                         .now = clock_()});
    });
}

result<std::shared_ptr<const event_batch>> event_reader::read_event(std::string_view tenant,
                                                                    const uuid& id) {
    using page = std::shared_ptr<const event_batch>;
    if (!is_storable(tenant)) return fail(no_such_event(id));
    return reading(*sessions_, [&](connection& db) -> result<page> {
        const auto rows = db.run({"event_by_id", all_texts().by_id.c_str()},
                                 params{}.add(tenant).add(id).add(clock_()));
        if (!rows) return fail(rows.error());
        if (rows->empty()) return fail(no_such_event(id));
        event_page one{1};
        if (auto ok = add_row(*rows, 0, one); !ok) return fail(ok.error());
        return std::move(one).finish();
    });
}

result<stream_info> event_reader::stream(std::string_view tenant, std::string_view name) {
    if (!is_storable(tenant) || !is_storable(name)) return fail(no_such_stream(name));
    return reading(*sessions_, [&](connection& db) -> result<stream_info> {
        const auto rows =
            db.run({"stream_info", all_texts().info.c_str()}, params{}.add(tenant).add(name));
        if (!rows) return fail(rows.error());
        if (rows->empty()) return fail(no_such_stream(name));
        switch (static_cast<deletion>(integer(*rows, 0, static_cast<column>(7)))) {
            case deletion::forever:
                return fail(stream_is_deleted(name));
            case deletion::soft:
                return fail(no_such_stream(name));
            case deletion::none:
                break;
        }
        return info_from(*rows, 0);
    });
}

result<stream_list> event_reader::streams(std::string_view tenant, std::string_view category,
                                          std::string_view prefix, std::string_view after,
                                          std::size_t limit) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    stream_list list;
    for (const auto text : {tenant, category, prefix, after}) {
        if (!is_storable(text)) return list;
    }
    // All names of a category begin with it, so it narrows the range as a prefix does.
    std::string from{prefix};
    if (category.starts_with(prefix)) {
        from = category;
    } else if (!prefix.starts_with(category)) {
        return list;
    }
    // What begins with a text ends, bytewise, with as many of the highest character as can follow.
    std::string to = from;
    while (to.size() < stream_name_bytes_max) to += "\xf4\x8f\xbf\xbf";
    const bool inclusive = after < std::string_view{from} || after.empty();
    if (!inclusive) from = after;
    const auto rows_asked = rows_max(limit);
    return reading(*sessions_, [&](connection& db) -> result<stream_list> {
        const auto rows =
            db.run({"streams", all_texts().list.c_str()},
                   params{}.add(tenant).add(from).add(to).add(inclusive).add(category).add(
                       rows_asked + 1));
        if (!rows) return fail(rows.error());
        list.items.clear();
        for (int row = 0; row < static_cast<int>(rows->size()); ++row) {
            if (list.items.size() == rows_asked) {
                list.next = list.items.back().stream;
                break;
            }
            list.items.push_back(info_from(*rows, row));
        }
        return std::move(list);
    });
}

result<position> event_reader::end() {
    return reading(*sessions_, [&](connection& db) -> result<position> {
        const auto rows = db.run({"log_end", "SELECT position FROM log_head"});
        if (!rows) return fail(rows.error());
        if (rows->empty()) return fail(store_errc::corrupt, "the log's head is missing");
        return (*rows)[0][0].as<position>();
    });
}

result<std::optional<event_log::stored_answer>> event_reader::find_answer(std::string_view tenant,
                                                                          std::string_view key) {
    using answer = std::optional<event_log::stored_answer>;
    if (!is_storable(tenant) || !is_storable(key)) return std::nullopt;
    return reading(*sessions_, [&](connection& db) -> result<answer> {
        const auto rows = db.run({"stored_answer", all_texts().answer.c_str()},
                                 params{}.add(tenant).add(key).add(clock_()));
        if (!rows) return fail(rows.error());
        if (rows->empty()) return answer{};
        return answer{{.fingerprint = pqxx::binarystring{(*rows)[0][0]}.str(),
                       .answer = std::string{text(*rows, 0, static_cast<column>(1))}}};
    });
}

result<std::shared_ptr<const event_batch>> read_all(connection& db, position after, position to,
                                                    std::size_t limit) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    event_page page{rows_max(limit)};
    const auto rows = db.run({"log_all", all_texts().all.c_str()},
                             params{}
                                 .add(at_most_highest(after) - (after >= highest ? 1 : 0) + 1)
                                 .add(at_most_highest(to))
                                 .add(rows_max(limit)));
    if (!rows) return fail(rows.error());
    for (int row = 0; row < static_cast<int>(rows->size()) && !page.full(); ++row) {
        if (auto ok = add_row(*rows, row, page); !ok) return fail(ok.error());
    }
    return std::move(page).finish();
}

}  // namespace flexcore::store::postgres
