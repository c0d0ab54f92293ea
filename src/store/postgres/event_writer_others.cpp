// event_writer beside its own appends: what other servers write into the same log, and what has
// expired.

#include "store/postgres/event_reader.hpp"
#include "store/postgres/event_writer.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr std::size_t page_events = 1'000;
// About what the event bus keeps in memory.
constexpr position learned_events_max = 16'384;
constexpr std::size_t learned_bytes_max = std::size_t{16} << 20;
constexpr auto purge_pause = std::chrono::seconds{60};
constexpr auto purge_pause_busy = std::chrono::milliseconds{50};
constexpr int purge_keys_max = 500;

// With the read models' catalogue, which is looked at as often.
constexpr sql head_row{"head_row",
                       "SELECT position, changes, recorded_at, last_id, "
                       "coalesce((SELECT c.changes FROM catalogue c), 0) FROM log_head"};
constexpr sql head_row_locked{
    "head_row_locked", "SELECT position, changes, recorded_at, last_id FROM log_head FOR UPDATE"};
constexpr sql changed_rules{
    "changed_rules",
    "SELECT t.name, s.name FROM stream_rules r JOIN streams s ON s.id = r.stream "
    "JOIN names t ON t.id = r.tenant WHERE r.changed_at > $1"};
constexpr sql tenants_with_rules{"tenants_with_rules",
                                 "SELECT t.name FROM names t WHERE t.kind = 1 AND "
                                 "EXISTS (SELECT 1 FROM stream_rules r WHERE r.tenant = t.id)"};
constexpr sql purge_keys{
    "purge_keys",
    "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_keys "
    "WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"};

}  // namespace

result<log_head> event_writer::read_head(bool locked) {
    const auto rows = db_->run(locked ? head_row_locked : head_row);
    if (!rows) return fail(rows.error());
    if (rows->empty()) return fail(store_errc::corrupt, "the log's head is missing");
    const auto row = (*rows)[0];
    if (!locked) settings_.database.overdue->catalogue_is_at(row[4].as<std::uint64_t>());
    return log_head{.pos = row[0].as<position>(),
                    .changes = row[1].as<std::uint64_t>(),
                    .recorded_at = row[2].as<unix_us>(),
                    .last_id = row[3].as<std::uint64_t>()};
}

result<void> event_writer::load_rules() {
    const auto rows = db_->run(tenants_with_rules);
    if (!rows) return fail(rows.error());
    for (const auto& row : *rows) settings_.rules->note(row[0].as<std::string>());
    return reclaimer_.load(*db_);
}

/// Notes what others have written after what is known, up to `upto`: event by event for those who
/// follow, unless it is more than they keep in memory anyway.
result<void> event_writer::learn(const log_head& upto) {
    std::vector<std::shared_ptr<const event_batch>> pages;
    position from = head_.pos;
    std::size_t bytes = 0;
    while (from < upto.pos && upto.pos - head_.pos <= learned_events_max &&
           bytes <= learned_bytes_max) {
        auto page = read_all(*db_, from, upto.pos, page_events);
        if (!page) return fail(page.error());
        if ((*page)->events.empty()) break;  // the rest is holes
        from = (*page)->events.back().pos;
        bytes += (*page)->bytes;
        pages.push_back(std::move(*page));
    }
    if (from < upto.pos) {
        streams_.clear();
        foreign_ = {.batches = {},
                    .passed_over_to = upto.pos,
                    .recorded_at = upto.recorded_at,
                    .any_may_have_changed = true};
        return {};
    }
    for (auto& page : pages) {
        for (const auto& event : page->events) note(event);
        foreign_.batches.push_back(std::move(page));
    }
    return {};
}

/// Brings what is known up to the database's head: events and rules of other servers.
result<void> event_writer::catch_up() {
    const auto head = read_head(false);
    if (!head) return fail(head.error());
    if (head->pos < head_.pos) {
        return fail(store_errc::unavailable, "events that were shown are missing",
                    fmt::format("the log ends at {}, shown up to {}", head->pos, head_.pos));
    }
    const auto changed = db_->run(changed_rules, params{}.add(head_.changes));
    if (!changed) return fail(changed.error());
    // Last of what may fail: what is learned is told once.
    if (auto ok = learn(*head); !ok) return ok;
    for (const auto& row : *changed) {
        const auto name = row[0].as<std::string>();
        settings_.rules->note(name);
        if (const auto* in = tenant(name)) streams_.erase(*in, row[1].as<std::string>());
        foreign_.any_may_have_changed = true;
        reclaimer_.rules_changed();
    }
    head_ = *head;
    return {};
}

/// An event that another server has written.
void event_writer::note(const recorded_event& event) {
    const auto* in = tenant(event.tenant);
    if (in == nullptr) return;
    auto* known = streams_.find(*in, event.stream);
    if (known == nullptr) return;
    // One that was not there has an id now, and one that was deleted is there again.
    if (known->id == 0 || known->deleted != deletion::none) {
        streams_.erase(*in, event.stream);
    } else {
        known->ver = event.ver;
    }
}

foreign_commits event_writer::take_foreign() { return std::exchange(foreign_, {}); }

/// What others have written meanwhile.
result<void> event_writer::look_at_others() {
    const auto begun = monotonic::now();
    poll_at_ = begun + settings_.poll;
    if (!db_ || !db_->usable()) {
        if (auto ok = connect(); !ok) return ok;
    }
    const auto head = read_head(false);
    if (!head) return fail(head.error());
    if (head->changes != head_.changes) {
        if (auto ok = catch_up(); !ok) return ok;
    }
    settings_.database.overdue->seen(begun);
    return {};
}

/// Of what is due, what has been for longest: one statement a second, unless there is work to do.
result<void> event_writer::tidy_idly() {
    const deadline first = std::min({poll_at_, purge_at_, reclaimer_.next()});
    const auto now = monotonic::now();
    if (first > now || rests_until_ > now) return {};
    if (first == poll_at_ || !db_ || !db_->usable()) {
        if (auto ok = look_at_others(); !ok) return ok;
    } else if (first == purge_at_) {
        if (auto ok = purge_expired_keys(true); !ok) return ok;
        more_to_do_ = purge_at_ <= monotonic::now();
    } else {
        if (auto ok = reclaimer_.step(*db_, settings_.clock(), true); !ok) return ok;
        more_to_do_ = reclaimer_.next() <= monotonic::now();
    }
    if (!more_to_do_) rests_until_ = now + settings_.poll;
    return {};
}

result<deadline> event_writer::tidy(bool idle) {
    const at_work from_now_on{works_since_};
    return believing([&] { return look_after(idle); });
}

result<deadline> event_writer::look_after(bool idle) {
    if (idle) {
        if (auto ok = tidy_idly(); !ok) return fail(ok.error());
    } else {
        if (monotonic::now() >= purge_at_) {
            if (auto ok = purge_expired_keys(false); !ok) return fail(ok.error());
        }
        if (monotonic::now() >= reclaimer_.next() && db_ && db_->usable()) {
            if (auto ok = reclaimer_.step(*db_, settings_.clock(), false); !ok)
                return fail(ok.error());
        }
    }
    return std::max(rests_until_, std::min({poll_at_, purge_at_, reclaimer_.next()}));
}

result<void> event_writer::purge_expired_keys(bool idle) {
    purge_at_ = monotonic::now() + purge_pause;  // also when it fails
    if (!db_ || !db_->usable()) return {};
    const auto gone = db_->run(purge_keys, params{}.add(settings_.clock()).add(purge_keys_max));
    if (!gone) return fail(gone.error());
    if (gone->affected_rows() == purge_keys_max)
        purge_at_ = monotonic::now() + (idle ? monotonic::duration{} : purge_pause_busy);
    return {};
}

}  // namespace flexcore::store::postgres
