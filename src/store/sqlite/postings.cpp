#include "store/sqlite/postings.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

constexpr std::size_t ahead_min = 4;
constexpr std::size_t ahead_max = 256;

struct kind_sql {
    const char* names;
    const char* table;
    const char* column;
};
constexpr std::array<kind_sql, posting_kinds> sql_of{
    kind_sql{"tags", "event_tags", "tag"},
    kind_sql{"types", "events", "type"},
    kind_sql{"categories", "events", "category"},
};

}  // namespace

result<void> posting_source::prepare(connection& db) {
    db_ = &db;
    for (std::size_t k = 0; k < posting_kinds; ++k) {
        const auto& sql = sql_of[k];
        auto& kept = kinds_[k];
        const auto ids = fmt::format("SELECT id FROM {} WHERE name=?1", sql.names);
        const auto positions = [&](const char* compare, const char* order) {
            return fmt::format(
                "SELECT position FROM {} WHERE {}=?1 AND position{}?2 ORDER BY position {} "
                "LIMIT ?3",
                sql.table, sql.column, compare, order);
        };
        const std::pair<statement*, std::string> all[] = {
            {&kept.ids_in_tenant, ids + " AND tenant=?2"},
            {&kept.ids_anywhere, ids},
            {&kept.forward, positions(">=", "ASC")},
            {&kept.backward, positions("<=", "DESC")},
        };
        for (const auto& [out, text] : all) {
            if (auto ok = db.prepare(*out, text); !ok) return ok;
        }
    }
    return {};
}

void posting_source::failed(int code, std::string_view attempted) {
    if (!failure_) failure_ = db_->failure(code, attempted);
}

std::vector<std::uint64_t> posting_source::ids(posting_kind kind, std::string_view name,
                                               std::uint64_t tenant) {
    auto& kept = kinds_[static_cast<std::size_t>(kind)];
    auto& asked = tenant != 0 ? kept.ids_in_tenant : kept.ids_anywhere;
    ++fetches_;
    run_scope scope{asked};
    asked.bind(1, name);
    if (tenant != 0) asked.bind(2, tenant);
    std::vector<std::uint64_t> found;
    int code = asked.step();
    for (; code == SQLITE_ROW; code = asked.step()) found.push_back(asked.natural(0));
    if (code != SQLITE_DONE) failed(code, "look up a name");
    return found;
}

void posting_source::fetch(posting_kind kind, std::uint64_t id, position from, direction way,
                           std::size_t count, std::vector<position>& out) {
    if (failure_) return;
    ++fetches_;
    auto& kept = kinds_[static_cast<std::size_t>(kind)];
    auto& asked = way == direction::forward ? kept.forward : kept.backward;
    run_scope scope{asked};
    asked.bind(1, id).bind(2, from).bind(3, std::uint64_t{count});
    int code = asked.step();
    for (; code == SQLITE_ROW; code = asked.step()) out.push_back(asked.natural(0));
    if (code != SQLITE_DONE) failed(code, "read an index");
}

position posting_list::seek(posting_source& source, position from, direction way) {
    source.count_look();
    const bool forward = way == direction::forward;
    const auto behind = [&](position at) { return forward ? at < from : at > from; };
    const std::size_t started = next_;
    while (next_ < block_.size() && behind(block_[next_])) ++next_;
    if (next_ < block_.size()) return block_[next_];
    if (last_block_) return 0;
    // Read to its end in small steps: more next time. Jumped over: start small again.
    const bool in_sequence = started + 1 >= block_.size();
    ahead_ = in_sequence ? std::min(ahead_ * 2, ahead_max) : ahead_min;
    block_.clear();
    next_ = 0;
    source.fetch(kind_, id_, from, way, ahead_, block_);
    last_block_ = block_.size() < ahead_;
    return block_.empty() ? 0 : block_.front();
}

selector_walk::selector_walk(posting_source& source, const selector& what, std::uint64_t tenant,
                             direction way)
    : source_{source}, way_{way} {
    for (const auto& clause : what) add(clause, tenant);
    needs_scan_ = needs_scan_ || what.empty();
}

selector_walk::any_of selector_walk::lists(posting_kind kind, std::span<const std::string> names,
                                           std::uint64_t tenant) {
    any_of found;
    for (const auto& name : names) {
        for (const auto id : source_.ids(kind, name, tenant)) found.emplace_back(kind, id);
    }
    return found;
}

void selector_walk::add(const selector_clause& clause, std::uint64_t tenant) {
    if (clause.tags.empty() && clause.types.empty() && clause.categories.empty()) {
        needs_scan_ = true;
        return;
    }
    all_of terms;
    for (const auto& tag : clause.tags) {
        terms.push_back(lists(posting_kind::tag, {&tag, 1}, tenant));
    }
    if (!clause.types.empty()) {
        terms.push_back(lists(posting_kind::type, clause.types, tenant));
    }
    if (!clause.categories.empty()) {
        terms.push_back(lists(posting_kind::category, clause.categories, tenant));
    }
    for (const auto& term : terms) {
        if (term.empty()) return;  // an unknown name: nothing can match
    }
    clauses_.push_back(std::move(terms));
}

position selector_walk::seek_any(any_of& term, position from) {
    position nearest = 0;
    for (auto& list : term) {
        const position at = list.seek(source_, from, way_);
        if (at != 0 && (nearest == 0 || before(at, nearest))) nearest = at;
    }
    return nearest;
}

walk_step selector_walk::seek_clause(all_of& terms, position from, std::size_t fetches_stop) {
    for (;;) {
        position furthest = from;
        for (auto& term : terms) {
            const position at = seek_any(term, furthest);
            if (at == 0 || source_.failure()) return {walk_step::kind::end, 0};
            furthest = at;
        }
        // Every term was entered at or beyond the one before: all stand still when none moved on.
        bool agreed = true;
        for (auto& term : terms) agreed = agreed && seek_any(term, furthest) == furthest;
        if (agreed) return {walk_step::kind::hit, furthest};
        from = furthest;
        if (source_.fetches() >= fetches_stop) return {walk_step::kind::paused, from};
    }
}

walk_step selector_walk::seek(position from, std::size_t fetches_max) {
    const std::size_t stop =
        fetches_max > SIZE_MAX - source_.fetches() ? SIZE_MAX : source_.fetches() + fetches_max;
    walk_step nearest;
    for (auto& clause : clauses_) {
        const walk_step step = seek_clause(clause, from, stop);
        if (step.what == walk_step::kind::end) continue;
        if (nearest.what == walk_step::kind::end || before(step.at, nearest.at)) nearest = step;
    }
    return nearest;
}

}  // namespace flexcore::store::sqlite
