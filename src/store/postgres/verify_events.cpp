// The part of `verify` for PostgreSQL that walks the log, by position.
#include "base/names.hpp"
#include "store/event_checksum_impl.hpp"
#include "store/postgres/verify_impl.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>
#include <optional>

namespace flexcore::store::postgres {
namespace {

constexpr position positions_per_read = 2'000;
constexpr int holes_per_read = 1'000;
// Reads that halve a range which cannot be read; beyond, a range is named as a whole.
constexpr int halvings_max = 20'000;
constexpr const char* step_events = "events";

/// The recorded holes, ascending, a page at a time.
class hole_walk {
public:
    explicit hole_walk(verification& look) : look_{look} {}

    struct hole {
        position first = 0, last = 0;
    };
    /// The first hole that ends at `at` or later; none when there is none.
    result<std::optional<hole>> from(position at) {
        for (;;) {
            for (; next_ < page_.size(); ++next_) {
                if (page_[next_].last >= at) return page_[next_];
            }
            if (ended_) return std::optional<hole>{};
            if (auto ok = read(); !ok) return fail(ok.error());
        }
    }

private:
    result<void> read() {
        const auto rows =
            look_.ask("SELECT first, last FROM holes WHERE first > $1 ORDER BY first LIMIT $2",
                      params{}.add(first_).add(holes_per_read));
        page_.clear();
        next_ = 0;
        if (!rows) {
            ended_ = true;
            return look_.as_finding("holes", log_remedy, fail(rows.error()));
        }
        ended_ = static_cast<int>(rows->size()) < holes_per_read;
        for (const auto& row : *rows) {
            const hole one{row[0].as<position>(), row[1].as<position>()};
            first_ = static_cast<std::int64_t>(one.first);
            if (one.last < one.first || one.first <= last_) {
                look_.found_in_log("holes", one.first, one.last,
                                   fmt::format("the recorded hole from {} to {} does not fit the "
                                               "others",
                                               one.first, one.last));
                continue;
            }
            last_ = one.last;
            look_.report().removed += one.last - one.first + 1;
            page_.push_back(one);
        }
        return {};
    }

    verification& look_;
    std::vector<hole> page_;
    std::size_t next_ = 0;
    std::int64_t first_ = -1;
    position last_ = 0;
    bool ended_ = false;
};

/// One event, its names, and what is found of it by other ways: itself by its id; of its stream the
/// nearest other event that is not above its version. A way whose index is gone would read the
/// whole log for each event: it is not looked at.
std::string events_text(const verification& look) {
    const char* by_id =
        look.has("events_by_id")
            ? "SELECT x.position FROM events x WHERE x.id = e.id AND x.tenant = e.tenant LIMIT 1"
            : "SELECT e.position";
    const char* by_version =
        look.has("events_by_stream")
            ? "SELECT x.version, x.position FROM events x WHERE x.stream = e.stream AND"
              " x.version <= e.version AND x.position <> e.position ORDER BY x.version DESC LIMIT 1"
            : "SELECT e.version - 1 AS version, e.position - 1 AS position WHERE e.version > 1";
    return fmt::format(
        "SELECT e.position, e.stream, e.version, e.category, e.tenant, e.schema_version, e.place,"
        " e.recorded_at, e.checksum, e.id, e.tags, e.metadata, e.data, e.rows, tenant.name,"
        " stream.name, stream.tenant, stream.category, type.name, type.tenant, same_id.position,"
        " before.version, before.position, (SELECT string_agg(a.tag, ', ') FROM"
        " unnest(string_to_array(rtrim(e.tags, E'\\n'), E'\\n')) a(tag) WHERE NOT EXISTS"
        " (SELECT FROM event_tags g WHERE g.position = e.position AND g.tag = (SELECT n.id FROM"
        " names n WHERE n.kind = 4 AND n.tenant = e.tenant AND n.name = a.tag LIMIT 1)))"
        " FROM (SELECT e.*, count(*) OVER () AS rows, coalesce(sum(octet_length(e.metadata) +"
        " octet_length(e.data)) OVER (ORDER BY e.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1"
        " PRECEDING), 0) AS bytes FROM (SELECT * FROM events WHERE position >= $1 AND"
        " position <= $2 ORDER BY position) e) e"
        " LEFT JOIN LATERAL (SELECT n.name FROM names n WHERE n.id = e.tenant AND n.kind = 1"
        " LIMIT 1) tenant ON true"
        " LEFT JOIN LATERAL (SELECT s.name, s.tenant, s.category FROM streams s WHERE"
        " s.id = e.stream LIMIT 1) stream ON true"
        " LEFT JOIN LATERAL (SELECT n.name, n.tenant FROM names n WHERE n.id = e.type AND"
        " n.kind = 3 LIMIT 1) type ON true"
        " LEFT JOIN LATERAL ({}) same_id ON true LEFT JOIN LATERAL ({}) before ON true"
        " WHERE e.bytes < {} ORDER BY e.position",
        by_id, by_version, verified_bytes_max);
}

enum at : int {
    at_position,
    at_stream,
    at_version,
    at_category,
    at_tenant,
    at_schema_version,
    at_place,
    at_recorded_at,
    at_checksum,
    at_id,
    at_tags,
    at_metadata,
    at_data,
    at_rows,
    at_tenant_name,
    at_stream_name,
    at_streams_tenant,
    at_streams_category,
    at_type_name,
    at_types_tenant,
    at_same_id,
    at_before_version,
    at_before_position,
    at_untagged,
};

class event_look {
public:
    explicit event_look(verification& look) : look_{look}, holes_{look}, text_{events_text(look)} {}

    result<void> run() {
        const auto end = find_end();
        if (!end) return fail(end.error());
        const position last = *end;
        while (next_ <= last) {
            const position low = next_;
            const position high = std::min(last, low + positions_per_read - 1);
            if (auto ok = read(low, high); !ok) return ok;
            if (auto ok = account_up_to(high); !ok) return ok;
            look_.step(step_events, high, last);
        }
        say_unreadable();
        if (auto ok = count_tags_listed(); !ok) return ok;
        if (!unreadable_ && versions_missing_ > look_.report().removed) {
            look_.found_in_log(
                "events", 0, 0,
                fmt::format("{} versions of streams are missing and {} events were removed",
                            versions_missing_, look_.report().removed));
        }
        return {};
    }

private:
    using row = pqxx::row;

    /// Where the walk ends: at the head, or at what is beyond it.
    result<position> find_end() {
        const auto head = look_.ask("SELECT position, recorded_at, last_id FROM log_head");
        if (!head) return damaged_or(head.error());
        const auto last =
            look_.ask("SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1");
        position written = 0;
        if (last && !last->empty()) written = (*last)[0][0].as<position>();
        if (!last && last.error().code != store_errc::corrupt)
            return fail(for_operator(last.error()));
        auto& report = look_.report();
        report.head = written;
        if (head->size() != 1) {
            look_.found_in_log("log_head", 0, 0, "the log's head is missing");
            return written;
        }
        report.head = (*head)[0][0].as<position>();
        if (written > report.head) {
            look_.found_in_log("log_head", report.head + 1, written,
                               fmt::format("the log's head is at {}, and there are events up to {}",
                                           report.head, written));
        }
        if (last && !last->empty() && written == report.head &&
            (*last)[0][1].as<unix_us>() != (*head)[0][1].as<unix_us>()) {
            look_.found_in_log("log_head", 0, 0,
                               "the log's head has another time than the last event");
        }
        return report.head = std::max(written, report.head);
    }
    result<position> damaged_or(const error& why) {
        if (auto ok = look_.as_finding("log_head", log_remedy, fail(why)); !ok)
            return fail(ok.error());
        look_.report().log_read = false;
        return position{0};
    }

    /// Low to high. What cannot be read is halved until it is single events.
    result<void> read(position low, position high) {
        while (low <= high) {
            const auto rows = look_.ask(text_, params{}.add(low).add(high));
            if (!rows) {
                if (rows.error().code != store_errc::corrupt)
                    return fail(for_operator(rows.error()));
                if (low == high || ++halvings_ > halvings_max) return unreadable(low, high);
                const position middle = low + (high - low) / 2;
                if (auto ok = read(low, middle); !ok) return ok;
                low = middle + 1;
                continue;
            }
            for (const auto& one : *rows) {
                if (auto ok = take(one); !ok) return ok;
            }
            // Else the rest of the range was too many bytes.
            if (rows->empty() || rows->size() == (*rows)[0][at_rows].as<pqxx::result::size_type>())
                return {};
            low = next_;
        }
        return {};
    }

    result<void> unreadable(position low, position high) {
        if (auto ok = account_up_to(low - 1); !ok) return ok;
        if (unreadable_to_ + 1 != low) {
            say_unreadable();
            unreadable_from_ = low;
        }
        unreadable_to_ = high;
        unreadable_ = true;
        look_.report().partly = true;
        next_ = std::max(next_, high + 1);
        return {};
    }
    void say_unreadable() {
        if (unreadable_from_ == 0) return;
        const auto from = std::exchange(unreadable_from_, 0);
        look_.found_in_log("events", from, unreadable_to_,
                           from == unreadable_to_ ? fmt::format("event {} cannot be read", from)
                                                  : fmt::format("events {} to {} cannot be read",
                                                                from, unreadable_to_));
    }

    /// Everything up to `to` has been seen: what was not there was removed, or is missing.
    result<void> account_up_to(position to) {
        while (next_ <= to) {
            const auto hole = holes_.from(next_);
            if (!hole) return fail(hole.error());
            const position gap_end = *hole ? std::min(to, (*hole)->first - 1) : to;
            if (!*hole || (*hole)->first > next_) {
                look_.found_in_log(
                    "events", next_, gap_end,
                    next_ == gap_end
                        ? fmt::format("event {} is missing and was not removed", next_)
                        : fmt::format("events {} to {} are missing and were not removed", next_,
                                      gap_end));
                next_ = gap_end + 1;
            } else {
                next_ = std::min(to, (*hole)->last) + 1;
            }
        }
        return {};
    }

    result<void> take(const row& one) {
        const auto pos = one[at_position].as<position>();
        if (auto ok = account_up_to(pos - 1); !ok) return ok;
        next_ = pos + 1;
        ++look_.report().events;
        const auto hole = holes_.from(pos);
        if (!hole) return fail(hole.error());
        if (*hole && (*hole)->first <= pos) {
            found(pos, fmt::format("event {} is there and recorded as removed", pos));
        }
        check(one, pos);
        return {};
    }
    static std::string_view text(const row& one, int column) {
        return {one[column].c_str(), one[column].size()};
    }
    static std::uint64_t natural(const row& one, int column) {
        return static_cast<std::uint64_t>(one[column].as<std::int64_t>());
    }

    void check(const row& one, position pos) {
        const auto tags = text(one, at_tags);
        tags_listed_ += static_cast<std::uint64_t>(std::count(tags.begin(), tags.end(), '\n'));
        const auto recorded_at = one[at_recorded_at].as<unix_us>();
        const auto stream = text(one, at_stream_name);
        const auto sum = event_checksum(
            {.pos = pos,
             .ver = natural(one, at_version),
             .category = natural(one, at_category),
             .schema_version = static_cast<std::uint32_t>(natural(one, at_schema_version)),
             .place = static_cast<std::uint32_t>(natural(one, at_place)),
             .recorded_at = recorded_at,
             .id = parse_uuid(text(one, at_id)).value_or(uuid{}),
             .tags = tags,
             .metadata = text(one, at_metadata),
             .data = text(one, at_data)},
            {.tenant = name_hash(text(one, at_tenant_name)),
             .stream = name_hash(stream),
             .type = name_hash(text(one, at_type_name))});
        const bool named = !one[at_tenant_name].is_null() && !one[at_stream_name].is_null() &&
                           !one[at_type_name].is_null();
        if (!named) return found(pos, fmt::format("event {} belongs to names that are gone", pos));
        if (sum != natural(one, at_checksum))
            return found(pos, fmt::format("event {} is not what was written", pos));
        if (natural(one, at_streams_tenant) != natural(one, at_tenant) ||
            natural(one, at_streams_category) != natural(one, at_category) ||
            natural(one, at_types_tenant) != natural(one, at_tenant)) {
            found(pos, fmt::format("event {} belongs to names that do not fit each other", pos));
        }
        if (recorded_at < last_time_)
            found(pos, fmt::format("event {} is older than the one before", pos));
        last_time_ = std::max(last_time_, recorded_at);
        if (one[at_same_id].is_null() || one[at_same_id].as<position>() != pos)
            found(pos, fmt::format("event {} is not found by its id", pos));
        check_version(one, pos, stream);
        if (!one[at_untagged].is_null()) {
            look_.found_in_log(
                "event_tags", pos, pos,
                fmt::format("event {} is not found by its tag {}", pos, text(one, at_untagged)));
        }
    }
    /// What was removed is always the beginning of a stream.
    void check_version(const row& one, position pos, std::string_view stream) {
        const auto ver = natural(one, at_version);
        if (one[at_before_version].is_null()) {
            versions_missing_ += ver - 1;
            return;
        }
        const auto before = natural(one, at_before_version);
        const auto before_at = one[at_before_position].as<position>();
        const bool follows = before + 1 == ver && before_at < pos;
        // One that cannot be read is missing here, too.
        if (follows || (unreadable_ && before < ver)) return;
        // Of two with the same version the later one is named.
        if (before == ver && before_at > pos) return;
        found(pos, fmt::format("event {} has version {} in {}, after version {} at {}", pos, ver,
                               stream, before, before_at));
    }
    void found(position pos, std::string what) {
        look_.found_in_log("events", pos, pos, std::move(what));
    }

    result<void> count_tags_listed() {
        const auto listed = look_.ask("SELECT count(*) FROM event_tags");
        if (!listed) return look_.as_finding("event_tags", log_remedy, fail(listed.error()));
        const auto count = (*listed)[0][0].as<std::uint64_t>();
        if (count > tags_listed_ && !unreadable_) {
            look_.found_in_log("event_tags", 0, 0,
                               fmt::format("tags are listed for {} events that do not have them",
                                           count - tags_listed_));
        }
        return {};
    }

    verification& look_;
    hole_walk holes_;
    const std::string text_;
    position next_ = 1;  ///< everything below is accounted for
    unix_us last_time_ = 0;
    std::uint64_t tags_listed_ = 0;
    std::uint64_t versions_missing_ = 0;
    int halvings_ = 0;
    position unreadable_from_ = 0, unreadable_to_ = 0;
    bool unreadable_ = false;
};

}  // namespace

result<void> verify_events(verification& look) { return event_look{look}.run(); }

}  // namespace flexcore::store::postgres
