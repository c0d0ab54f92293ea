#include "store/sqlite/reclaimer.hpp"

#include "store/sqlite/event_row.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

// Of one step, which appends may have to wait for: about 5 ms.
constexpr std::size_t streams_max = 200;
constexpr std::size_t events_max = 100;
constexpr std::size_t bytes_max = 1u << 20;  // the last event may go beyond
constexpr int ids_forgotten_max = 500;
// Damaged streams left out in one pass; each costs a step and a line of the log.
constexpr std::size_t passed_over_max = 100;

error damaged_at(const connection& db, position pos, std::string_view how) {
    return {store_errc::corrupt, fmt::format("events.db: the event at position {} is damaged", pos),
            fmt::format("{}: the event at position {} {}", db.file(), pos, how)};
}

}  // namespace

result<void> reclaimer::prepare(connection& db) {
    db_ = &db;
    const auto rules = fmt::format(
        "SELECT {} FROM stream_rules WHERE stream>?1 ORDER BY stream LIMIT ?2", rule_columns);
    const auto holes = [](std::string_view which) {
        return fmt::format("SELECT {} FROM holes {}", hole_columns, which);
    };
    const std::pair<statement*, std::string> all[] = {
        {&next_rules_, rules},
        {&category_,
         "SELECT c.name FROM streams s JOIN categories c ON c.id=s.category WHERE s.id=?1"},
        {&doomed_, fmt::format("SELECT {}, (SELECT name FROM tenants WHERE id=e.tenant), "
                               "(SELECT name FROM streams WHERE id=e.stream), "
                               "(SELECT name FROM types WHERE id=e.type) FROM events e "
                               "WHERE e.stream=?1 AND e.version<=?2 ORDER BY e.version LIMIT ?3",
                               event_columns)},
        {&hole_below_, holes("WHERE first<=?1 ORDER BY first DESC LIMIT 1")},
        {&hole_above_, holes("WHERE first=?1")},
        {&hole_add_,
         fmt::format("INSERT INTO holes ({}) VALUES (?1, ?2, ?3, ?4, ?5)", hole_columns)},
        {&hole_grow_,
         "UPDATE holes SET last=?2, operation=?3, removed_at=?4, checksum=?5 WHERE first=?1"},
        {&hole_drop_, "DELETE FROM holes WHERE first=?1"},
        {&id_add_,
         fmt::format("INSERT INTO removed_ids ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                     removed_columns)},
        {&id_forget_,
         "DELETE FROM removed_ids WHERE position IN (SELECT position FROM removed_ids "
         "WHERE forget_at<=?1 ORDER BY forget_at, position LIMIT ?2)"},
        {&tag_remove_,
         "DELETE FROM event_tags WHERE tag=(SELECT id FROM tags WHERE name=?1 AND tenant=?2) "
         "AND position=?3"},
        {&event_remove_, "DELETE FROM events WHERE position=?1"},
        {&kept_add_, "INSERT INTO kept_categories VALUES (?1, ?2) ON CONFLICT DO NOTHING"},
    };
    for (const auto& [out, sql] : all) {
        if (auto ok = db.prepare(*out, sql); !ok) return ok;
    }
    const auto any = db.integer("SELECT EXISTS (SELECT 1 FROM removed_ids)");
    if (!any) return fail(any.error());
    any_removed_ = *any != 0;
    return {};
}

bool reclaimer::wanted(const rule_book& rules) const noexcept {
    return !rules.empty() || any_removed_;
}

result<std::string> reclaimer::category_of(std::uint64_t stream) {
    run_scope scope{category_};
    const int code = category_.bind(1, stream).step();
    if (code == SQLITE_DONE) {
        return fail(store_errc::corrupt, "events.db: a stream's rules are of no stream",
                    fmt::format("{}: stream {} has rules and no name", db_->file(), stream));
    }
    if (code != SQLITE_ROW) return fail(db_->failure(code, "look up a stream's category"));
    return std::string{category_.blob(0)};
}

result<reclaimer::step_done> reclaimer::step(rule_book& rules, const rule_board& board,
                                             position head, unix_us now) {
    if (after_ == 0) again_ = false;  // this pass sees all of it
    began_ = after_;
    at_ = 0;
    std::vector<rule_row> streams;
    bool further = false;           // there are more behind these
    std::uint64_t looked_upto = 0;  // the last of these
    {
        run_scope scope{next_rules_};
        next_rules_.bind(1, after_).bind(2, std::uint64_t{streams_max});
        std::size_t rows = 0;
        int code = next_rules_.step();
        for (; code == SQLITE_ROW; code = next_rules_.step()) {
            ++rows;
            looked_upto = next_rules_.natural(0);
            if (passed_over_.contains(next_rules_.natural(0))) continue;
            at_ = next_rules_.natural(0);
            const auto row = read_rule(*db_, next_rules_);
            if (!row) return fail(row.error());
            streams.push_back(*row);
        }
        at_ = 0;
        further = rows == streams_max;
        if (code != SQLITE_DONE) {
            auto failed = db_->failure(code, "look through the rules");
            // What lies before a damaged page can be done before it is met again.
            if (failed.code != store_errc::corrupt || streams.empty()) {
                return fail(std::move(failed));
            }
            further = true;
        }
    }
    step_done done;
    room left{.events = events_max, .bytes = bytes_max};
    for (const auto& rule : streams) {
        at_ = rule.stream;
        const auto last = rules.last_version(rule);
        if (!last) return fail(last.error());
        version gone_to = rule.deleted_to;  // also of a kept category
        const auto category = category_of(rule.stream);
        if (!category) return fail(category.error());
        if (!board.kept(*category)) {
            const auto served = rules.first_served(rule, *last);
            if (!served) return fail(served.error());
            // The last one says the version. (Deleted, its rules say it.)
            gone_to = std::max(gone_to, std::min(*served, *last) - 1);
        }
        if (gone_to != 0) {
            const auto more = remove(rule, gone_to, head, now, left, done.removed);
            if (!more) return fail(more.error());
            if (*more) return done;
        }
        after_ = rule.stream;
    }
    at_ = 0;
    after_ = std::max(after_, looked_upto);  // passed over ones as well
    if (!further) {
        end_pass();
        done.passed = !again_;
    }
    return done;
}

void reclaimer::end_pass() {
    after_ = 0;
    passed_over_.clear();
}

// After the end of a pass too: then the last piece is looked at again.
void reclaimer::step_undone() { after_ = began_; }

bool reclaimer::pass_over() {
    step_undone();
    if (at_ != 0 && passed_over_.size() < passed_over_max) {
        passed_over_.insert(std::exchange(at_, 0));
        return true;
    }
    end_pass();
    return false;
}

/// Versions up to `to`.
result<bool> reclaimer::remove(const rule_row& rule, version to, position head, unix_us now,
                               room& left, std::size_t& removed) {
    std::vector<doomed> all;
    bool more = false;
    {
        run_scope scope{doomed_};
        // One more than there is room for tells whether there is more.
        doomed_.bind(1, rule.stream).bind(2, to).bind(3, std::uint64_t{left.events + 1});
        int code = doomed_.step();
        for (; code == SQLITE_ROW; code = doomed_.step()) {
            const event_row event = row_of(doomed_);
            if (event.pos == head) continue;
            more = left.events == 0 || left.bytes == 0;
            if (more) break;
            const name_hashes names{.tenant = name_hash(doomed_.blob(14)),
                                    .stream = name_hash(doomed_.blob(15)),
                                    .type = name_hash(doomed_.blob(16))};
            if (checksum_of(event, names) != event.checksum) {
                // Those before it can go; it is met again.
                more = !all.empty();
                if (more) break;
                return fail(damaged_at(*db_, event.pos, "does not fit its checksum"));
            }
            --left.events;
            left.bytes -= std::min(left.bytes, event.data.size() + event.metadata.size());
            all.push_back({.row = {.pos = event.pos,
                                   .tenant = event.tenant,
                                   .stream = rule.stream,
                                   .ver = event.ver,
                                   .place = event.place,
                                   .recorded_at = event.recorded_at,
                                   .forget_at = now + ids_kept_us,
                                   .id = event.id},
                           .tags = std::string{event.tags}});
        }
        if (code != SQLITE_ROW && code != SQLITE_DONE) {
            return fail(db_->failure(code, "look for events to remove"));
        }
    }
    for (const auto& one : all) {
        const auto operation = one.row.ver <= rule.deleted_to ? "deletion" : "retention";
        if (auto ok = record_hole(one.row.pos, operation, now); !ok) return fail(ok.error());
        bind_removed(id_add_, one.row);
        if (auto ok = db_->run(id_add_, "remember a removed id"); !ok) return fail(ok.error());
        if (auto ok = remove_tags(one); !ok) return fail(ok.error());
        event_remove_.bind(1, one.row.pos);
        if (auto ok = db_->run(event_remove_, "remove an event"); !ok) return fail(ok.error());
    }
    removed += all.size();
    any_removed_ = any_removed_ || !all.empty();
    return more;
}

/// Joins the holes beside it that are of the same operation.
result<void> reclaimer::record_hole(position at, std::string_view operation, unix_us now) {
    const auto found = [&](statement& asked, position key) -> result<std::optional<hole_row>> {
        run_scope scope{asked};
        const int code = asked.bind(1, key).step();
        if (code == SQLITE_DONE) return std::nullopt;
        if (code != SQLITE_ROW) return fail(db_->failure(code, "look up a hole"));
        auto row = read_hole(*db_, asked);
        if (!row) return fail(row.error());
        return std::optional{std::move(*row)};
    };
    const auto below = found(hole_below_, at);
    if (!below) return fail(below.error());
    const auto above = found(hole_above_, at + 1);
    if (!above) return fail(above.error());
    const bool joins_below = *below && (*below)->last == at - 1 && (*below)->operation == operation;
    const bool joins_above = *above && (*above)->operation == operation;
    hole_row hole{.first = joins_below ? (*below)->first : at,
                  .last = joins_above ? (*above)->last : at,
                  .operation = std::string{operation},
                  .removed_at = now};
    bind_hole(joins_below ? hole_grow_ : hole_add_, hole);
    auto& put = joins_below ? hole_grow_ : hole_add_;
    if (auto ok = db_->run(put, "record a hole"); !ok) return ok;
    if (!joins_above) return {};
    hole_drop_.bind(1, (*above)->first);
    return db_->run(hole_drop_, "join two holes");
}

result<void> reclaimer::remove_tags(const doomed& of) {
    const auto count = count_tags(of.tags);
    if (!count) return fail(damaged_at(*db_, of.row.pos, "has tags that are none"));
    std::vector<std::string_view> tags(*count);
    decode_tags(of.tags, tags.data());
    for (const auto tag : tags) {
        tag_remove_.bind(1, tag).bind(2, of.row.tenant).bind(3, of.row.pos);
        if (auto ok = db_->run(tag_remove_, "remove an event's tag"); !ok) return ok;
    }
    return {};
}

result<bool> reclaimer::forget_ids(unix_us now) {
    if (!any_removed_) return false;
    id_forget_.bind(1, std::int64_t{now}).bind(2, std::int64_t{ids_forgotten_max});
    if (auto ok = db_->run(id_forget_, "forget removed ids"); !ok) return fail(ok.error());
    return sqlite3_changes(db_->get()) == ids_forgotten_max;
}

result<void> reclaimer::save_kept(const rule_board& board, std::size_t& saved) {
    const auto unsaved = board.unsaved();
    for (const auto& name : unsaved) {
        kept_add_.bind(1, std::string_view{name}).bind(2, checksum_of_category(name));
        if (auto ok = db_->run(kept_add_, "keep a category"); !ok) return ok;
    }
    saved = unsaved.size();
    return {};
}

}  // namespace flexcore::store::sqlite
