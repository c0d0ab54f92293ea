// The part of `verify` that asks whether what the log does not have was removed, and recorded so.
#include "store/sqlite/rule_rows.hpp"
#include "store/sqlite/verify_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace flexcore::store::sqlite {
namespace {

/// A database that a server has not opened since lacks the newer tables.
[[nodiscard]] result<bool> has_table(connection& db, std::string_view name) {
    const auto there = db.integer(
        fmt::format("SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='{}'", name));
    if (!there) return fail(there.error());
    return *there != 0;
}

class removals_look {
public:
    removals_look(verifying& look, connection& db, log_gaps gaps)
        : look_{look}, db_{db}, gaps_{std::move(gaps)} {}

    /// What the walk did not find is compared with what was removed by now: a server may have
    /// removed more since, and whatever it removed by then is recorded. One moment for all tables.
    result<void> run() {
        if (auto ok = db_.execute("BEGIN"); !ok) return ok;
        auto done = [&]() -> result<void> {
            if (auto ok = read_holes(); !ok) return ok;
            for (const auto& gap : gaps_.positions) missing(gap.first, gap.last);
            check_versions_missing();
            if (auto ok = check_there(); !ok) return ok;
            return check_traces();
        }();
        db_.roll_back();
        return done;
    }

private:
    /// Each row of a table whose rows carry their own checksums.
    template <class Row>
    result<void> each(std::string_view table, std::string_view columns,
                      result<Row> (*read)(const connection&, const statement&),
                      const std::function<void(const Row&)>& take) {
        const auto there = has_table(db_, table);
        if (!there) return fail(there.error());
        if (!*there) return {};
        auto rows = db_.prepare(fmt::format("SELECT {} FROM {} ORDER BY 1", columns, table));
        if (!rows) return fail(rows.error());
        int code = rows->step();
        for (; code == SQLITE_ROW; code = rows->step()) {
            const auto row = read(db_, *rows);
            if (row) {
                take(*row);
            } else if (auto ok = as_finding(look_, db_.file(), fail(row.error())); !ok) {
                return ok;
            }
        }
        if (code != SQLITE_DONE) return fail(db_.failure(code, table));
        return {};
    }
    /// No event stands where one was removed.
    result<void> check_there() {
        auto asked = db_.prepare("SELECT position FROM events WHERE position>=?1 AND position<=?2");
        if (!asked) return fail(asked.error());
        for (const auto& one : holes_) {
            run_scope scope{*asked};
            int code = asked->bind(1, one.first).bind(2, one.last).step();
            for (; code == SQLITE_ROW; code = asked->step()) {
                const position pos = asked->natural(0);
                look_.found_in_log(pos, pos,
                                   fmt::format("event {} is there and recorded as removed", pos));
            }
            if (code != SQLITE_DONE) {
                auto failed = db_.failure(code, "look into a hole");
                // The walk has met it and named it.
                if (failed.code != store_errc::corrupt) return fail(std::move(failed));
            }
        }
        return {};
    }
    result<void> read_holes() {
        return each<hole_row>("holes", hole_columns, read_hole, [this](const hole_row& one) {
            if (one.last < one.first || (!holes_.empty() && one.first <= holes_.back().last)) {
                look_.found_in_log(
                    one.first, one.last,
                    fmt::format("the recorded hole from {} to {} does not fit the others",
                                one.first, one.last));
            }
            look_.report().removed += one.last - one.first + 1;
            holes_.push_back({one.first, one.last});
        });
    }
    result<void> check_traces() {
        auto ok = each<rule_row>("stream_rules", rule_columns, read_rule, [](const rule_row&) {});
        if (!ok) return ok;
        return each<removed_row>(
            "removed_ids", removed_columns, read_removed, [this](const removed_row& one) {
                if (removed(one.pos)) return;
                look_.found_in_log(
                    one.pos, one.pos,
                    fmt::format("the id of event {} is kept as removed, and no hole is recorded",
                                one.pos));
            });
    }
    [[nodiscard]] bool removed(position pos) const {
        const auto next =
            std::upper_bound(holes_.begin(), holes_.end(), pos,
                             [](position at, const position_range& one) { return at < one.first; });
        return next != holes_.begin() && std::prev(next)->last >= pos;
    }

    void missing(position first, position last) {
        // Those between recorded holes.
        position from = 0;
        for (position pos = first; pos <= last; ++pos) {
            const bool lost = !removed(pos);
            if (lost && from == 0) from = pos;
            if (from != 0 && (!lost || pos == last)) {
                const position upto = lost ? pos : pos - 1;
                look_.found_in_log(
                    from, upto,
                    from == upto ? fmt::format("event {} is missing and was not removed", from)
                                 : fmt::format("events {} to {} are missing and were not removed",
                                               from, upto));
                from = 0;
            }
        }
    }

    void check_versions_missing() {
        if (holes_.empty()) {
            for (auto& jump : gaps_.jumps)
                look_.found_in_log(jump.at, jump.at, std::move(jump.what));
        }
        if (!gaps_.unreadable && gaps_.versions_missing > look_.report().removed) {
            look_.found_in_log(
                0, 0,
                fmt::format("{} versions of streams are missing and {} events were removed",
                            gaps_.versions_missing, look_.report().removed));
        }
    }
    verifying& look_;
    connection& db_;
    log_gaps gaps_;
    std::vector<position_range> holes_;  ///< ascending
};

}  // namespace

result<position> last_removed(connection& db) {
    const auto there = has_table(db, "holes");
    if (!there) return fail(there.error());
    if (!*there) return position{0};
    auto last =
        db.prepare(fmt::format("SELECT {} FROM holes ORDER BY first DESC LIMIT 1", hole_columns));
    if (!last) return fail(last.error());
    const int code = last->step();
    if (code == SQLITE_DONE) return position{0};
    if (code != SQLITE_ROW) {
        auto failed = db.failure(code, "look for the last hole");
        // It is met again when all are read.
        if (failed.code == store_errc::corrupt) return position{0};
        return fail(std::move(failed));
    }
    const auto row = read_hole(db, *last);
    return row ? row->last : position{0};
}

result<void> verify_removals(verifying& look, connection& db, log_gaps gaps) {
    return removals_look{look, db, std::move(gaps)}.run();
}

}  // namespace flexcore::store::sqlite
