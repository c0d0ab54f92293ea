#include "store/postgres/event_scan.hpp"

#include "store/postgres/event_lists.hpp"
#include "store/postgres/event_row.hpp"
#include "store/read_limits_impl.hpp"

#include <pqxx/result>

#include <algorithm>

namespace flexcore::store::postgres {
namespace {

// Lists whose entries are this dense save nothing: reading them costs more than passing over rows.
constexpr double dense = 0.2;
// Entries of lists one call looks at: each is an event somewhere in the log, as dear as four rows.
constexpr std::size_t entries_max = events_looked_at_max / 4;
// Entries looked at beyond what a page may take, at first; and by how much it grows.
constexpr std::size_t entries_spare = 64;
constexpr std::size_t growth = 8;
constexpr int rounds_max = 6;
// Positions of a tenant looked through before its lists are.
constexpr std::size_t tenant_rows_first = 1'000;

struct texts {
    explicit texts(bool forward) : order{forward ? "position" : "position DESC"} {
        edge = forward ? "max" : "min";
        all = ranged("true");
        of_tenant = ranged(
            "e.tenant = (SELECT id FROM names WHERE kind = 1 AND tenant = 0"
            " AND name = $5)");
    }
    /// $1 to $2: positions; $3: rows; $4: now.
    [[nodiscard]] std::string ranged(std::string_view filter) const {
        return page_of(
            fmt::format("SELECT e.* FROM events e{} WHERE e.position >= $1 AND e.position <= $2"
                        " AND {} AND {} ORDER BY e.{} LIMIT $3",
                        with_rules, filter, is_served("$4::bigint"), order),
            order);
    }
    /// Besides: $5 to $7: ids of types, categories, tags; $8: how many entries. Each row ends with
    /// the number of entries there were, and the last of them; one row with nulls when it is empty.
    [[nodiscard]] std::string listed(std::string_view filter) const {
        const auto list = [&](std::string_view table, std::string_view id, int ids) {
            return fmt::format(
                "SELECT l.position FROM unnest(${}::bigint[]) AS i(id) CROSS JOIN LATERAL"
                " (SELECT x.position FROM {} x WHERE x.{} = i.id AND x.position >= $1"
                " AND x.position <= $2 ORDER BY x.{} LIMIT $8) l",
                ids, table, id, order);
        };
        return fmt::format(
            "WITH c AS MATERIALIZED (SELECT u.position FROM ({} UNION {} UNION {}) u"
            " ORDER BY u.{} LIMIT $8)"
            " SELECT e.*, k.entries, k.edge FROM (SELECT count(*) AS entries, {}(position) AS edge"
            " FROM c) k LEFT JOIN ({}) e ON true ORDER BY e.{}",
            list("events", "type", 5), list("events", "category", 6), list("event_tags", "tag", 7),
            order, edge,
            page_of(fmt::format("SELECT e.* FROM c CROSS JOIN LATERAL (SELECT * FROM events e"
                                " WHERE e.position = c.position LIMIT 1) e{} WHERE {} AND {}"
                                " ORDER BY e.{} LIMIT $3",
                                with_rules, filter, is_served("$4::bigint"), order),
                    order),
            order);
    }
    std::string order, edge, all, of_tenant;
};

const texts& texts_of(bool forward) {
    static const texts there{true};
    static const texts back{false};
    return forward ? there : back;
}

/// The first position in $2 to $3 whose event is not older than $1; $3 + 1 when all are. Times
/// ascend with positions; a position that is gone stands for the next one there is.
constexpr sql first_since{
    "first_since",
    "WITH RECURSIVE halving(low, high) AS (SELECT $2::bigint, $3::bigint + 1"
    " UNION ALL SELECT CASE WHEN m.recorded_at < $1 THEN m.position + 1 ELSE h.low END,"
    " CASE WHEN m.recorded_at < $1 THEN h.high ELSE (h.low + h.high) / 2 END"
    " FROM halving h CROSS JOIN LATERAL (SELECT e.position, e.recorded_at FROM events e"
    " WHERE e.position >= (h.low + h.high) / 2 ORDER BY e.position LIMIT 1) m"
    " WHERE h.low < h.high) SELECT max(low) FROM halving"};

/// Writes conditions and gathers their parameters.
class condition_writer {
public:
    condition_writer(params& with, int next) : with_{with}, next_{next} {}

    /// The tenant, and any of the clauses; "true" when nothing is asked for.
    std::string of(const log_filter& filter, const selector_lists& lists) {
        std::string text = "true";
        if (filter.tenant) {
            text = fmt::format(
                "e.tenant = (SELECT id FROM names WHERE kind = 1 AND tenant = 0 AND name = {})",
                place(*filter.tenant));
        }
        if (filter.what.empty()) return text;
        text += " AND (false";
        for (const auto& clause : lists.clauses) text += " OR " + of(clause);
        return text + ')';
    }

private:
    template <class Value>
    std::string place(const Value& value) {
        with_.add(value);
        return fmt::format("${}", next_++);
    }
    std::string of(const clause_lists& clause) {
        std::string text = "true";
        const auto any = [&](std::string_view column, const std::optional<id_list>& list) {
            if (!list) return;
            // Plus 0: not to be looked up, or a range would be sorted instead of read in order.
            text += fmt::format(" AND e.{} + 0 = ANY({}::bigint[])", column,
                                place(array_text::of(list->ids)));
        };
        any("type", clause.types);
        any("category", clause.categories);
        for (const auto& tag : clause.tags) {
            text += fmt::format(" AND strpos(E'\\n' || e.tags, {}::text) > 0",
                                place('\n' + tag + '\n'));
        }
        if (!clause.stream_prefix.empty()) {
            text += fmt::format(
                " AND (SELECT starts_with(s.name, {}::text) FROM streams s WHERE s.id = e.stream)",
                place(clause.stream_prefix));
        }
        return text;
    }
    params& with_;
    int next_;
};

class log_reader {
public:
    log_reader(connection& db, const log_filter& filter, const log_scan& asked)
        : db_{db}, filter_{filter}, asked_{asked}, texts_{texts_of(forward())}, page_{asked.limit} {
        if (forward()) {
            range_ = {.low = std::min(asked.after, asked.head) + 1, .high = asked.head};
        } else {
            const bool newest = asked.after == 0 || asked.after > asked.head;
            range_ = {.low = 1, .high = newest ? asked.head : asked.after - 1, .forward = false};
        }
    }

    result<log_page> run() {
        if (auto ok = read(); !ok) return fail(ok.error());
        log_page page;
        page.at_end = !has_more();
        if (forward()) {
            page.scanned_to = page.at_end ? std::max(asked_.after, asked_.head) : range_.low - 1;
        } else {
            page.scanned_to = page.at_end ? 1 : range_.high + 1;
        }
        page.batch = std::move(page_).finish();
        return page;
    }

private:
    [[nodiscard]] bool forward() const { return asked_.way == direction::forward; }
    [[nodiscard]] bool has_more() const { return range_.low <= range_.high; }
    [[nodiscard]] bool goes_on() const {
        return has_more() && !page_.full() && looked_at_ < events_looked_at_max;
    }
    void finish() { range_.low = range_.high + 1; }
    /// Everything up to `at` is done with.
    void pass(position at) {
        if (forward()) {
            range_.low = at + 1;
        } else {
            range_.high = at - 1;
        }
    }

    result<void> read() {
        if (filter_.tenant && !is_storable(*filter_.tenant)) finish();
        if (has_more() && filter_.since) {
            if (auto ok = narrow_to_since(*filter_.since); !ok) return ok;
        }
        if (!has_more()) return {};
        if (filter_.what.empty() && !filter_.tenant) return read_range(events_looked_at_max);
        if (filter_.what.empty()) {
            if (auto ok = read_range(std::max(4 * asked_.limit, tenant_rows_first)); !ok) return ok;
            if (!goes_on()) return {};
        }
        auto lists = find_lists(db_, filter_, range_);
        if (!lists) return fail(lists.error());
        if (!lists->known_tenant || lists->density == 0) {
            finish();
            return {};
        }
        lists_ = std::move(*lists);
        return lists_.density >= dense ? read_range(events_looked_at_max) : read_lists();
    }

    result<void> narrow_to_since(unix_us since) {
        const auto rows =
            db_.run(first_since, params{}.add(since).add(range_.low).add(range_.high));
        if (!rows) return fail(rows.error());
        range_.low = static_cast<position>(integer(*rows, 0, column{}));
        return {};
    }

    /// `positions` from here on, in this direction.
    [[nodiscard]] log_range next(double positions) const {
        log_range part = range_;
        if (positions >= static_cast<double>(part.high - part.low)) return part;
        const auto span = std::max<position>(static_cast<position>(positions), 1) - 1;
        if (forward()) {
            part.high = part.low + span;
        } else {
            part.low = part.high - span;
        }
        return part;
    }
    [[nodiscard]] static position edge_of(const log_range& part) {
        return part.forward ? part.high : part.low;
    }
    [[nodiscard]] params common(const log_range& part) const {
        params with;
        with.add(part.low).add(part.high);
        with.add(asked_.limit - page_.count() + 1).add(asked_.now);
        return with;
    }

    result<void> read_range(std::size_t positions) {
        const auto room = events_looked_at_max - std::min(looked_at_, events_looked_at_max);
        const auto part = next(static_cast<double>(std::min(positions, room)));
        auto with = common(part);
        const bool all = filter_.what.empty();
        const auto rows = [&] {
            if (all && !filter_.tenant) {
                return db_.run({forward() ? "log_forward" : "log_backward", texts_.all.c_str()},
                               with);
            }
            if (all) {
                return db_.run({forward() ? "tenant_log_forward" : "tenant_log_backward",
                                texts_.of_tenant.c_str()},
                               with.add(*filter_.tenant));
            }
            const auto condition = condition_writer{with, 5}.of(filter_, lists_);
            return run(texts_.ranged(condition), with);
        }();
        if (!rows) return fail(rows.error());
        looked_at_ += part.high - part.low + 1;
        return take(*rows, static_cast<int>(rows->size()), edge_of(part));
    }

    [[nodiscard]] result<pqxx::result> run(const std::string& text, const params& with) {
        const bool common = lists_.clauses.size() == 1 && lists_.clauses[0].tags.size() <= 1;
        return common ? db_.run_kept(text, with) : db_.run_once(text, with);
    }

    /// The entries of the lists, more of them in each round: who knows how many match.
    result<void> read_lists() {
        std::size_t entries = asked_.limit + entries_spare;
        std::size_t left = entries_max;
        for (int round = 0; round < rounds_max && goes_on() && left > 0; ++round) {
            entries = std::min(entries, left);
            // Bounded by position too, or each of many lists would give as many entries.
            const auto part = next(4 * static_cast<double>(entries) / lists_.density);
            auto with = common(part);
            with.add(array_text::of(lists_.types.ids))
                .add(array_text::of(lists_.categories.ids))
                .add(array_text::of(lists_.tags.ids))
                .add(entries);
            const auto condition = condition_writer{with, 9}.of(filter_, lists_);
            const auto rows = run(texts_.listed(condition), with);
            if (!rows) return fail(rows.error());
            const auto found = static_cast<std::size_t>(integer(*rows, 0, after_page(0)));
            const auto edge = found < entries
                                  ? edge_of(part)
                                  : static_cast<position>(integer(*rows, 0, after_page(1)));
            left -= std::min(found, left);
            const bool any = !is_null(*rows, 0, column::position);
            if (auto ok = take(*rows, any ? static_cast<int>(rows->size()) : 0, edge); !ok) {
                return ok;
            }
            entries *= growth;
        }
        return {};
    }

    /// Adds rows until the page is full. All matches up to `edge` are among them, or a page's more.
    result<void> take(const pqxx::result& rows, int count, position edge) {
        for (int row = 0; row < count; ++row) {
            if (page_.full()) {
                const auto at = static_cast<position>(integer(rows, row, column::position));
                pass(forward() ? at - 1 : at + 1);
                return {};
            }
            if (auto ok = add_row(rows, row, page_); !ok) return ok;
        }
        pass(edge);
        return {};
    }

    connection& db_;
    const log_filter& filter_;
    const log_scan asked_;
    const texts& texts_;
    event_page page_;
    log_range range_;  ///< what is still to be looked at
    selector_lists lists_;
    std::size_t looked_at_ = 0;
};

}  // namespace

result<log_page> scan_log(connection& db, const log_filter& filter, const log_scan& asked) {
    return log_reader{db, filter, asked}.run();
}

}  // namespace flexcore::store::postgres
