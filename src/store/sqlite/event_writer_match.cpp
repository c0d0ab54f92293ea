// event_writer: which event matches a condition. All appends wait for the answer, so it is sought
// where it is found soonest, and given up beyond a bound.
//
// Lists:    a clause is an intersection of index lists. A stream prefix is one too: it stands for
//           the categories it begins; only what follows the first '-' has to be compared.
// Near:     most conditions name a position close to the head; then the few events after it are
//           cheaper to look at than anything else.
// Streams:  a prefix that few streams have is sought in them: positions ascend with versions, so
//           a stream is entered at a position by halving.
// Bound:    beyond its own the request is refused, beyond the batch's it is told to come again:
//           every append of the log waits. All that takes time counts, names and streams, too.

#include "base/names.hpp"
#include "store/sqlite/event_writer.hpp"

#include <algorithm>
#include <bit>

namespace flexcore::store::sqlite {
namespace {

// Look-ups of one condition, each a few microseconds: together about a quarter of a second.
constexpr std::size_t looks_max = 50'000;
constexpr position near_events_max = 200;
constexpr std::size_t streams_joined_max = 64;
constexpr std::size_t streams_looked_at_max = 10'000;
constexpr std::size_t categories_joined_max = 256;
constexpr std::size_t looks_per_stream = 2;  // its end, its rules
constexpr std::size_t rows_per_look = 8;     // of a list that is read in one go

/// The lowest text above all that begin with `prefix`.
std::string upper_bound_of(std::string_view prefix) {
    if (prefix.empty()) return "\xff";  // above all UTF-8
    std::string bound{prefix};
    bound.back() = static_cast<char>(bound.back() + 1);
    return bound;
}

bool names_lists(const selector_clause& clause) noexcept {
    return !clause.tags.empty() || !clause.types.empty() || !clause.categories.empty();
}

}  // namespace

struct event_writer::search {
    const std::uint64_t tenant;
    const position after;
    std::size_t left;
    bool given_up = false;

    /// False: that is more than may be looked at.
    bool look(std::size_t times = 1) noexcept {
        given_up = given_up || times > left;
        left -= std::min(times, left);
        return !given_up;
    }
};

result<position> event_writer::first_match(std::string_view tenant_name, const selector& what,
                                           position after, unix_us now) {
    const auto* known_tenant = tenant(tenant_name);
    if (known_tenant == nullptr) return position{0};
    const std::size_t allowed = std::min(looks_max, looks_left_);
    search in{.tenant = known_tenant->id, .after = after, .left = allowed};
    flush();
    begin_rules(now);
    static const selector everything(1);
    position first = 0;
    for (const auto& clause : what.empty() ? everything : what) {
        const position found = first_of(in, clause);
        if (found != 0 && (first == 0 || found < first)) first = found;
    }
    looks_left_ -= allowed - in.left;
    // A match that was found is one, whatever else was not looked at.
    if (first == 0 && in.given_up && !failure()) {
        if (allowed < looks_max) {
            return fail(store_errc::busy,
                        "too many conditions that look at many events wait; try again shortly");
        }
        return fail(store_errc::invalid_request,
                    "the condition looks at too many events; narrow its selector or name a later "
                    "position in \"after\"");
    }
    return failure() ? position{0} : first;
}

position event_writer::first_of(search& in, const selector_clause& clause) {
    const std::string_view prefix = clause.stream_prefix;
    const bool near = head_ - in.after <= near_events_max;
    if (names_lists(clause) && (near || prefix.empty())) return first_of_lists(in, clause);
    if (near) return first_of_events(in, prefix);
    const bool compared = prefix.find('-') != std::string_view::npos;
    selector_clause lists = clause;
    if (compared) {
        const std::string category{category_of(prefix)};
        const auto& named = clause.categories;
        if (!named.empty() && std::find(named.begin(), named.end(), category) == named.end()) {
            return 0;
        }
        const auto streams = streams_of(in, prefix, streams_joined_max + 1);
        if (streams.empty()) return 0;
        if (streams.size() <= streams_joined_max) return first_in_streams(in, clause, streams);
        lists.categories = {category};
    } else if (clause.categories.empty()) {
        auto begun = categories_of(in, prefix, categories_joined_max + 1);
        if (begun.empty()) return 0;
        if (begun.size() <= categories_joined_max) {
            lists.categories = std::move(begun);
            lists.stream_prefix.clear();
        } else if (!names_lists(clause)) {
            return first_of_prefix(in, prefix);
        }
    } else {
        std::erase_if(lists.categories, [&](const auto& one) { return !one.starts_with(prefix); });
        if (lists.categories.empty()) return 0;
        lists.stream_prefix.clear();
    }
    return first_of_lists(in, lists);
}

selector_walk event_writer::walk_of(search& in, const selector_clause& clause) {
    const std::size_t fetched = postings_.fetches();
    selector_walk walk{postings_, selector{clause}, in.tenant, direction::forward};
    if (postings_.failure()) failed(*postings_.failure());
    (void)in.look(postings_.fetches() - fetched);
    return walk;
}

walk_step event_writer::seek(search& in, selector_walk& walk, position from) {
    const std::size_t fetched = postings_.fetches();
    const walk_step step = walk.seek(from, in.left);
    if (postings_.failure()) {
        failed(*postings_.failure());
        return {};
    }
    in.given_up = in.given_up || step.what == walk_step::kind::paused;
    in.left -= std::min(postings_.fetches() - fetched, in.left);
    return step;
}

/// Whether the event is not served any more: then no condition sees it.
bool event_writer::hidden(search& in, std::uint64_t stream, version ver, unix_us recorded_at) {
    const auto is = rules_.hides(stream, in.tenant, ver, recorded_at);
    if (is) return *is;
    failed(is.error());
    return false;
}

bool event_writer::hidden(search& in, position at) {
    const auto any = rules_.tenant_has_any(in.tenant);
    if (!any) failed(any.error());
    if (!any || !*any || !in.look()) return false;
    const auto event = known(by_position_.bind(1, at), "look at an event");
    return event && hidden(in, event->stream, event->ver, event->recorded_at);
}

position event_writer::first_of_lists(search& in, const selector_clause& clause) {
    selector_walk walk = walk_of(in, clause);
    for (position from = in.after + 1;;) {
        if (in.given_up || failure()) return 0;
        const walk_step step = seek(in, walk, from);
        if (step.what != walk_step::kind::hit) return 0;
        if (hidden(in, step.at)) {
            from = step.at + 1;
            continue;
        }
        if (in.given_up || failure()) return 0;
        if (clause.stream_prefix.empty()) return step.at;
        if (!in.look()) return 0;
        if (!step_row(stream_of_event_.bind(1, step.at), "look up a stream's name")) return 0;
        const bool fits = stream_of_event_.text(0).starts_with(clause.stream_prefix);
        stream_of_event_.reset();
        if (fits) return step.at;
        from = step.at + 1;
    }
}

/// Meets each stream's events with the clause's lists, both by jumping.
position event_writer::first_in_streams(search& in, const selector_clause& clause,
                                        const std::vector<std::uint64_t>& streams) {
    const bool lists = names_lists(clause);
    const selector_walk from_the_start = walk_of(in, clause);
    position first = 0;
    for (const auto stream : streams) {
        if (!in.look(looks_per_stream)) break;
        const version last = last_version(stream);
        version served = 1;
        if (const auto* rules = rules_of(stream, in.tenant)) {
            const auto from = rules_.first_served(*rules, last);
            if (!from) failed(from.error());
            if (from) served = *from;
        }
        if (failure()) break;
        selector_walk walk = from_the_start;
        for (position from = in.after + 1; first == 0 || from < first;) {
            if (!in.look(static_cast<std::size_t>(std::bit_width(last)) + 1)) return first;
            const version ver = std::max(version_from(stream, last, from), served);
            if (ver > last) break;
            const position here = position_of(stream, ver);
            if (here == 0) break;
            const walk_step step =
                lists ? seek(in, walk, here) : walk_step{.what = walk_step::kind::hit, .at = here};
            if (step.what != walk_step::kind::hit) break;
            if (step.at == here) {
                if (first == 0 || here < first) first = here;
                break;
            }
            from = step.at;
        }
        if (failure() || in.given_up) break;
    }
    return first;
}

/// For names without '-', which make a category each.
position event_writer::first_of_prefix(search& in, std::string_view prefix) {
    const auto streams = streams_of(in, prefix, streams_looked_at_max + 1);
    return streams.size() <= streams_looked_at_max ? first_in_streams(in, {}, streams)
                                                   : first_of_events(in, prefix);
}

/// One event after the other.
position event_writer::first_of_events(search& in, std::string_view prefix) {
    const position to = in.after + std::min<position>(head_ - in.after, in.left);
    in.left -= std::min<std::size_t>(to - in.after, in.left);
    run_scope scope{events_after_};
    events_after_.bind(1, in.after).bind(2, in.tenant).bind(3, to);
    int code = events_after_.step();
    for (; code == SQLITE_ROW; code = events_after_.step()) {
        if (!events_after_.text(1).starts_with(prefix)) continue;
        if (hidden(in, events_after_.natural(2), events_after_.natural(3),
                   events_after_.integer(4))) {
            continue;
        }
        return events_after_.natural(0);
    }
    if (code != SQLITE_DONE) failed(db_.failure(code, "look through events"));
    in.given_up = in.given_up || to != head_;
    return 0;
}

std::vector<std::uint64_t> event_writer::streams_of(search& in, std::string_view prefix,
                                                    std::size_t limit) {
    const std::string below = upper_bound_of(prefix);
    run_scope scope{stream_range_};
    stream_range_.bind(1, in.tenant).bind(2, prefix).bind(3, std::string_view{below});
    stream_range_.bind(4, std::uint64_t{limit});
    std::vector<std::uint64_t> found;
    int code = stream_range_.step();
    for (; code == SQLITE_ROW; code = stream_range_.step()) {
        found.push_back(stream_range_.natural(0));
    }
    if (code != SQLITE_DONE) failed(db_.failure(code, "look through streams"));
    (void)in.look(1 + found.size() / rows_per_look);
    return found;
}

std::vector<std::string> event_writer::categories_of(search& in, std::string_view prefix,
                                                     std::size_t limit) {
    const std::string below = upper_bound_of(prefix);
    run_scope scope{category_range_};
    category_range_.bind(1, in.tenant).bind(2, prefix).bind(3, std::string_view{below});
    category_range_.bind(4, std::uint64_t{limit});
    std::vector<std::string> found;
    int code = category_range_.step();
    for (; code == SQLITE_ROW; code = category_range_.step()) {
        found.emplace_back(category_range_.text(0));
    }
    if (code != SQLITE_DONE) failed(db_.failure(code, "look through categories"));
    (void)in.look(1 + found.size() / rows_per_look);
    return found;
}

version event_writer::last_version(std::uint64_t stream) {
    if (!step_row(stream_version_.bind(1, stream), "look up a version")) return 0;
    const version last = stream_version_.natural(0);
    stream_version_.reset();
    return last;
}

position event_writer::position_of(std::uint64_t stream, version ver) {
    if (!step_row(version_at_.bind(1, stream).bind(2, ver), "look up an event")) return 0;
    const position found = version_at_.natural(0);
    version_at_.reset();
    return found;
}

/// The lowest version that stands at `from` or beyond; `last` + 1 when none does.
version event_writer::version_from(std::uint64_t stream, version last, position from) {
    version low = 1;
    version high = last + 1;
    // The end first: most often nothing lies beyond, or all does.
    if (last == 0 || position_of(stream, last) < from) return high;
    while (low < high) {
        const version middle = low + (high - low) / 2;
        if (position_of(stream, middle) < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

version event_writer::version_before(const stream_state& state, position before) {
    flush();
    // What was removed since lies below all that is there, and says it better.
    if (reclaimer_.any_removed() &&
        step_row(removed_from_.bind(1, state.id).bind(2, before), "look up a removed version")) {
        const auto row = read_removed(db_, removed_from_);
        removed_from_.reset();
        if (row) return row->ver - 1;
        failed(row.error());
        return 0;
    }
    return version_from(state.id, state.ver, before) - 1;
}

}  // namespace flexcore::store::sqlite
