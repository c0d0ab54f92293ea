// event_reader::read_log: the whole log with its filters, by scanning rows or by walking the
// indexes, in both directions, a bounded piece per call.

#include "store/sqlite/event_reader.hpp"

namespace flexcore::store::sqlite {
namespace {

// Index look-ups of one call; each is about as dear as a hundred rows of a scan.
constexpr std::size_t fetches_max = 4'000;
constexpr std::size_t rows_per_fetch = 100;
// Rows of other tenants passed one after the other before the next own one is looked up.
constexpr std::size_t foreign_rows_max = 500;
constexpr std::size_t categories_joined_max = 256;

}  // namespace

struct event_reader::scan {
    const log_filter& filter;
    const direction way;
    const std::uint64_t tenant;  ///< 0: all
    const position last;         ///< of the log, in this snapshot
    position from;               ///< the next to look at
    event_page page;
    std::size_t looked_at = 0;
    bool ended = false;

    [[nodiscard]] bool forward() const { return way == direction::forward; }
    [[nodiscard]] bool has_room() const { return !page.full() && looked_at < events_looked_at_max; }
    [[nodiscard]] bool in_range() const {
        return !ended && from >= 1 && (forward() ? from <= last : true);
    }
    void pass(position at) { from = forward() ? at + 1 : at - 1; }
    void finish() {
        ended = true;
        from = forward() ? last + 1 : 0;
    }
};

/// Looks at the event the statement stands on. False: nothing beyond it can match.
result<bool> event_reader::take(scan& in, statement& at) {
    const auto event = current(at);
    if (!event) return fail(event.error());
    const auto hidden = rules_.hides(at.natural(1), at.natural(5), event->ver, event->recorded_at);
    if (!hidden) return fail(hidden.error());
    ++in.looked_at;
    if (!in.forward() && in.filter.since && event->recorded_at < *in.filter.since) return false;
    if (!*hidden && matches_filter(in.filter, *event)) in.page.add(*event);
    in.pass(event->pos);
    return true;
}

/// Reads row by row. True: only other tenants' rows have come for a while.
result<bool> event_reader::pass_rows(scan& in) {
    auto& rows = in.forward() ? log_forward_ : log_backward_;
    run_scope scope{rows};
    rows.bind(1, in.from);
    for (std::size_t foreign = 0; in.has_room();) {
        const int code = rows.step();
        if (code == SQLITE_DONE) {
            in.finish();
            return false;
        }
        if (code != SQLITE_ROW) return fail(db_.failure(code, "read the log"));
        // Other tenants' rows are passed over before anything is decoded.
        if (in.tenant != 0 && rows.natural(5) != in.tenant) {
            ++in.looked_at;
            in.pass(rows.natural(0));
            if (++foreign == foreign_rows_max) return true;
            continue;
        }
        foreign = 0;
        const auto more = take(in, rows);
        if (!more) return fail(more.error());
        if (!*more) {
            in.finish();
            return false;
        }
    }
    return false;
}

/// A clause that lets all of a tenant's events through, by name of their categories; none when
/// these are too many.
result<selector> event_reader::all_categories(std::uint64_t tenant) {
    selector_clause all;
    run_scope scope{categories_};
    categories_.bind(1, tenant).bind(2, std::uint64_t{categories_joined_max + 1});
    int code = categories_.step();
    for (; code == SQLITE_ROW; code = categories_.step()) {
        all.categories.emplace_back(categories_.text(0));
    }
    if (code != SQLITE_DONE) return fail(db_.failure(code, "look through categories"));
    if (all.categories.size() > categories_joined_max) return selector{};
    return selector{std::move(all)};
}

/// Row by row; where a tenant's events are rare, from one to the next through their categories.
result<void> event_reader::scan_rows(scan& in) {
    std::optional<selector_walk> own;
    for (;;) {
        const auto rare = pass_rows(in);
        if (!rare) return fail(rare.error());
        if (!*rare || !in.in_range()) return {};
        if (!own) {
            const auto all = all_categories(in.tenant);
            if (!all) return fail(all.error());
            own.emplace(postings_, *all, in.tenant, in.way);
        }
        if (own->needs_scan()) continue;
        const std::size_t fetched = postings_.fetches();
        const walk_step next = own->seek(in.from, fetches_max);
        if (postings_.failure()) return fail(*postings_.failure());
        if (next.what == walk_step::kind::end) {
            in.finish();
            return {};
        }
        in.from = next.at;
        in.looked_at += (postings_.fetches() - fetched) * rows_per_fetch;
        if (!in.has_room()) return {};
    }
}

result<void> event_reader::walk_lists(scan& in, selector_walk& walk) {
    const std::size_t stop = postings_.fetches() + fetches_max;
    while (in.has_room() && in.in_range() && postings_.fetches() < stop) {
        const walk_step step = walk.seek(in.from, stop - postings_.fetches());
        if (postings_.failure()) return fail(*postings_.failure());
        if (step.what == walk_step::kind::end) {
            in.finish();
            break;
        }
        if (step.what == walk_step::kind::paused) {
            in.from = step.at;
            break;
        }
        run_scope scope{event_at_};
        const int code = event_at_.bind(1, step.at).step();
        if (code != SQLITE_ROW) return fail(db_.failure(code, "read an event"));
        const auto more = take(in, event_at_);
        if (!more) return fail(more.error());
        if (!*more) in.finish();
    }
    return {};
}

/// The first position whose event is not older than `since`; last + 1 when all are.
result<position> event_reader::first_since(unix_us since, position last) {
    position low = 1;
    position high = last + 1;
    while (low < high) {
        const position middle = low + (high - low) / 2;
        run_scope scope{time_at_};
        const int code = time_at_.bind(1, middle).step();
        if (code != SQLITE_ROW) return fail(db_.failure(code, "look up a time"));
        if (time_at_.integer(0) < since) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

result<log_page> event_reader::read_log(const log_filter& filter, position after, std::size_t limit,
                                        direction way) {
    if (auto ok = check_limit(limit); !ok) return fail(ok.error());
    trim_caches();
    begin_rules();
    postings_.forget_failure();
    snapshot one{*this};
    position last = 0;
    if (auto ok = one.begin(last); !ok) return fail(ok.error());

    std::uint64_t tenant = 0;
    bool possible = true;
    if (filter.tenant) {
        const auto in = tenant_id(*filter.tenant);
        if (!in) return fail(in.error());
        tenant = *in;
        possible = tenant != 0;
    }
    const bool forward = way == direction::forward;
    if (!forward && (after == 0 || after > last)) after = last + 1;
    position from = forward ? std::min(after, last) + 1 : after - 1;
    if (forward && filter.since && from <= last) {
        const auto since = first_since(*filter.since, last);
        if (!since) return fail(since.error());
        from = std::max(from, *since);
    }
    scan in{.filter = filter,
            .way = way,
            .tenant = tenant,
            .last = last,
            .from = from,
            .page = event_page{limit}};
    if (!possible) in.finish();
    if (in.in_range()) {
        selector_walk walk{postings_, filter.what, tenant, way};
        auto done = walk.needs_scan() ? scan_rows(in) : walk_lists(in, walk);
        if (!done) return fail(done.error());
    }
    log_page page;
    page.at_end = !in.in_range();
    page.scanned_to = forward ? std::max(after, in.from - 1) : in.from + 1;
    page.batch = std::move(in.page).finish();
    return page;
}

}  // namespace flexcore::store::sqlite
