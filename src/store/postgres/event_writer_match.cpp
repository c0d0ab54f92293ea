// event_writer: which event matches a condition. All appends wait for the answer, so it is sought
// through the shortest way there is by index, on a session whose statements end after `search_max`.
//
// Near:    the few events after a position close to the head are looked at as they are.
// Streams: a prefix that few streams have is sought in them.
// Lists:   else the index lists of tags, types or categories are walked from the position on, the
//          rest of the clause compared with each event met. A prefix stands for the categories it
//          begins.

#include "base/names.hpp"
#include "store/postgres/event_writer.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr position near_events_max = 200;
constexpr std::size_t streams_joined_max = 64;
constexpr std::chrono::milliseconds search_max{300};      // of a statement, of a condition
constexpr std::chrono::milliseconds searches_max{1'000};  // of all conditions of a batch

/// The parts of one look for the lowest matching position.
class search_text {
public:
    search_text(const selector_clause& clause, bool rules) : clause_{clause}, rules_{rules} {}

    /// $1 tenant, $2 after, $3 head, $4 now, $5 types, $6 categories, $7 prefix, $8 streams, then
    /// the tags.
    [[nodiscard]] params with(std::uint64_t tenant, position after, position head, unix_us now,
                              const array_text& streams) const {
        params all;
        all.add(tenant).add(after).add(head).add(now);
        all.add(array_text::of(clause_.types)).add(array_text::of(clause_.categories));
        all.add(clause_.stream_prefix).add(streams);
        for (const auto& tag : clause_.tags) all.add(tag);
        return all;
    }
    [[nodiscard]] std::string near() const { return first("events e WHERE true"); }
    [[nodiscard]] std::string in_streams() const {
        return of_each("unnest($8::bigint[]) AS one(id)", "e.stream = one.id");
    }
    [[nodiscard]] std::string by_lists() const {
        if (!clause_.tags.empty()) {
            return first(
                "event_tags t JOIN events e ON e.position = t.position WHERE t.tag = "
                "(SELECT id FROM names WHERE kind = 4 AND tenant = $1 AND name = $9) "
                "AND t.position > $2 AND t.position <= $3",
                "t.position");
        }
        if (!clause_.types.empty()) {
            return of_each(
                "(SELECT id FROM names WHERE kind = 3 AND tenant = $1 AND name = ANY ($5::text[]))"
                " AS one",
                "e.type = one.id");
        }
        return of_each(
            "(SELECT id FROM names WHERE kind = 2 AND tenant = $1 "
            "AND (cardinality($6::text[]) = 0 OR name = ANY ($6::text[])) "
            "AND (starts_with(name, $7) OR starts_with($7, name || '-'))) AS one",
            "e.category = one.id");
    }

private:
    [[nodiscard]] std::string first(std::string_view from,
                                    std::string_view order = "e.position") const {
        return "SELECT " + std::string{order} + " FROM " + std::string{from} + common() +
               " ORDER BY " + std::string{order} + " LIMIT 1";
    }
    [[nodiscard]] std::string of_each(std::string_view lists, std::string_view joined) const {
        return "SELECT min(found.position) FROM " + std::string{lists} +
               " CROSS JOIN LATERAL (SELECT e.position FROM events e WHERE " + std::string{joined} +
               common() + " ORDER BY e.position LIMIT 1) AS found";
    }
    /// What every event has to be besides. Parameters that the way does not use are named too, so
    /// that each has a type.
    [[nodiscard]] std::string common() const {
        std::string all =
            " AND e.tenant = $1::bigint AND e.position > $2::bigint AND e.position <= $3::bigint"
            " AND $4::bigint IS NOT NULL AND $8::bigint[] IS NOT NULL"
            " AND (cardinality($5::text[]) = 0 OR e.type IN (SELECT id FROM names WHERE kind = 3"
            " AND tenant = $1 AND name = ANY ($5::text[])))"
            " AND (cardinality($6::text[]) = 0 OR e.category IN (SELECT id FROM names WHERE"
            " kind = 2 AND tenant = $1 AND name = ANY ($6::text[])))"
            " AND ($7::text = '' OR EXISTS (SELECT 1 FROM streams s WHERE s.id = e.stream AND"
            " starts_with(s.name, $7)))";
        for (std::size_t i = 0; i < clause_.tags.size(); ++i) {
            all += fmt::format(
                " AND position(E'\\n' || ${}::text || E'\\n' IN E'\\n' || e.tags) > 0", i + 9);
        }
        if (rules_) {
            all +=
                " AND NOT EXISTS (SELECT 1 FROM stream_rules r WHERE r.stream = e.stream AND"
                " (r.deleted <> 0 OR e.version <= r.deleted_to OR e.version < r.truncate_before"
                " OR r.max_age_us <> 0 AND e.recorded_at < $4 - r.max_age_us"
                " OR r.max_count <> 0 AND e.version <= (SELECT max(l.version) FROM events l"
                " WHERE l.stream = e.stream) - r.max_count))";
        }
        return all;
    }

    const selector_clause& clause_;
    const bool rules_;
};

constexpr sql streams_with_prefix{
    "streams_with_prefix",
    "SELECT id FROM streams WHERE tenant = $1 AND name >= $2 AND starts_with(name, $2) "
    "AND name < $2::text || repeat(chr(1114111), 2) ORDER BY name LIMIT $3"};

}  // namespace

result<position> event_writer::match_in_database(std::uint64_t in, const selector_clause& clause,
                                                 position after, unix_us now, bool rules) {
    if (!searching_ || !searching_->usable()) {
        auto settings = settings_.database;
        settings.statement_timeout = search_max;
        settings.read_only = true;
        auto made = connection::open(settings);
        if (!made) return fail(for_clients(std::move(made.error())));
        searching_ = std::move(*made);
    }
    const search_text text{clause, rules};
    array_text streams;
    std::string asked;
    if (head_.pos - after <= near_events_max) {
        asked = text.near();
    } else if (clause.stream_prefix.find('-') != std::string::npos) {
        const auto rows =
            searching_->run(streams_with_prefix,
                            params{}.add(in).add(clause.stream_prefix).add(streams_joined_max + 1));
        if (!rows) return fail(rows.error());
        if (rows->empty()) return 0;
        if (static_cast<std::size_t>(rows->size()) <= streams_joined_max) {
            for (const auto& row : *rows) streams.add(row[0].as<std::uint64_t>());
            asked = text.in_streams();
        }
    }
    if (asked.empty()) asked = text.by_lists();
    const auto rows = searching_->run_once(asked, text.with(in, after, head_.pos, now, streams));
    if (!rows) return fail(rows.error());
    if (rows->empty() || (*rows)[0][0].is_null()) return 0;
    return (*rows)[0][0].as<position>();
}

result<position> event_writer::first_match(std::string_view tenant_name, const selector& what,
                                           position after, unix_us now) {
    const auto* in = tenant(tenant_name);
    if (in == nullptr) return position{0};
    static const selector everything(1);
    const bool rules = settings_.rules->has_rules(tenant_name);
    position first = 0;
    monotonic::duration here{};
    if (after < head_.pos) {
        for (const auto& clause : what.empty() ? everything : what) {
            if (first != 0 && here > search_max) break;  // a match is one, whatever else there is
            if (searched_ > searches_max) {
                return fail(store_errc::busy,
                            "too many conditions that look at many events wait; "
                            "try again shortly");
            }
            const auto begun = monotonic::now();
            const auto found = here > search_max
                                   ? result<position>{0}
                                   : match_in_database(*in, clause, after, now, rules);
            const bool too_long =
                here > search_max || (!found && searching_ && searching_->timed_out());
            const auto took = monotonic::now() - begun;
            searched_ += took;
            here += took;
            if (too_long) {
                if (first != 0) break;
                return fail(store_errc::invalid_request,
                            "the condition looks at too many events; narrow its selector or name "
                            "a later position in \"after\"");
            }
            if (!found) {
                failed(found.error());
                return 0;
            }
            if (*found != 0 && (first == 0 || *found < first)) first = *found;
        }
    }
    if (first != 0) return first;
    for (const auto& event : pending_shown_) {
        if (event.pos <= after || event.tenant != tenant_name || !matches(what, event)) continue;
        const auto* of = rules ? streams_.find(*in, event.stream) : nullptr;
        if (of != nullptr && !of->rules.serves(event.ver, event.recorded_at, of->ver, now))
            continue;
        return event.pos;
    }
    return 0;
}

}  // namespace flexcore::store::postgres
