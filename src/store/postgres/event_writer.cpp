#include "store/postgres/event_writer.hpp"

#include "base/names.hpp"
#include "store/postgres/event_reader.hpp"
#include "telemetry/log.hpp"

#include <pqxx/row>

#include <thread>

namespace flexcore::store::postgres {
namespace {

// A stream takes about 250 bytes of memory, a name about 150.
constexpr std::size_t streams_kept_max = 65'536;
constexpr std::size_t names_kept_max = 32'768;
// Optimistic tries before the head row is locked first.
constexpr int unlocked_tries_max = 3;
constexpr int lost_tries_max = 3;
constexpr auto resolve_max = std::chrono::seconds{10};  // from when the batch was sent
constexpr auto resolve_min = std::chrono::seconds{2};
// What takes longer waits for somebody: a lock, a standby that does not confirm.
constexpr auto work_usual = std::chrono::seconds{5};

constexpr sql append_batch{
    "append_batch",
    "SELECT append_batch($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,"
    "$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32,$33,$34,$35,$36,$37,$38,$39,$40,$41,$42,"
    "$43,$44,$45,$46,$47)"};
constexpr sql resolve_batch{
    "resolve_batch",
    "SELECT batch = $1 OR EXISTS (SELECT 1 FROM rule_batches r WHERE r.batch = $1) OR EXISTS "
    "(SELECT 1 FROM events WHERE position = $2 AND id = $3) "
    "OR EXISTS (SELECT 1 FROM removed_ids WHERE position = $2 AND id = $3) FROM log_head"};
constexpr sql fence{"fence", "UPDATE log_head SET changes = changes + 1"};

}  // namespace

event_writer::event_writer(event_writer_settings settings)
    : settings_{std::move(settings)},
      names_{name_cache<std::uint64_t>{0}, name_cache<std::uint64_t>{names_kept_max},
             name_cache<std::uint64_t>{names_kept_max}, name_cache<std::uint64_t>{names_kept_max},
             name_cache<std::uint64_t>{names_kept_max}},
      streams_{streams_kept_max},
      reclaimer_{settings_.rules, settings_.reclaimed} {}

event_writer::~event_writer() = default;

result<std::unique_ptr<event_writer>> event_writer::open(event_writer_settings settings) {
    std::unique_ptr<event_writer> made{new event_writer{std::move(settings)}};
    if (auto ok = believing([&] { return made->begin_here(); }); !ok) return fail(ok.error());
    return made;
}

result<void> event_writer::begin_here() {
    if (auto ok = connect(); !ok) return ok;
    const auto head = read_head(false);
    if (!head) return fail(head.error());
    head_ = *head;
    return load_rules();
}

result<void> event_writer::connect() {
    auto made = connection::open(settings_.database);
    if (!made) {
        pace_.failed();
        return fail(for_clients(std::move(made.error())));
    }
    pace_.succeeded();
    db_ = std::move(*made);
    // What was opened before may be with a server that has been replaced.
    searching_.reset();
    if (settings_.readers) settings_.readers->renew();
    return {};
}

void event_writer::forget_everything() {
    for (auto& one : names_) one.clear();
    streams_.clear();
}

event_writer::at_work::at_work(std::atomic<monotonic::rep>& since) : since_{since} {
    since_ = monotonic::now().time_since_epoch().count();
}

event_writer::at_work::~at_work() { since_ = 0; }

bool event_writer::hangs() const noexcept {
    if (settings_.database.overdue->silent()) return true;
    const auto since = works_since_.load();
    return since != 0 &&
           monotonic::now() - monotonic::time_point{monotonic::duration{since}} > work_usual;
}

result<void> event_writer::write(write_batch& batch) {
    const at_work from_now_on{works_since_};
    auto done = believing([&] { return write_decided(batch); });
    if (!done) {
        if (db_) db_->roll_back();
        undo_try();
        // What the caches learned is of committed rows only, but nobody knows what comes next.
        forget_everything();
    }
    return done;
}

result<void> event_writer::write_decided(write_batch& batch) {
    if (!db_ || !db_->usable()) {
        if (auto ok = connect(); !ok) return ok;
    }
    streams_.trim();
    // Tenants stay: what others write is told by their names.
    for (auto& one : std::span{names_}.subspan(static_cast<std::size_t>(name_kind::category)))
        one.trim();
    bool look = false;
    bool connected_again = false;
    unresolved_ = false;
    lost_tries_ = 0;
    for (int tries = 0;; ++tries) {
        if (lost_tries_ == lost_tries_max) {
            // Whatever it is in this batch: others wait.
            return fail(store_errc::unavailable, "the database is not available",
                        "each session was lost with this batch, which is not in the log");
        }
        const bool locked = tries >= unlocked_tries_max;
        const auto begun = monotonic::now();
        const auto done = try_once(batch, look, locked);
        if (locked) db_->roll_back();  // nothing to do when it was committed
        if (done && *done == tried::written) {
            settle(batch);
            settings_.database.overdue->seen(begun);
            poll_at_ = monotonic::now() + settings_.poll;
            return {};
        }
        undo_try();
        if (!done && !unresolved_ && !db_->usable() && !std::exchange(connected_again, true)) {
            // Lost before anything was sent: as if it had been lost while it lay there.
            if (auto ok = connect(); !ok) return ok;
            if (auto ok = catch_up(); !ok) return ok;
            continue;
        }
        if (!done) return fail(done.error());
        look = *done == tried::assumed_wrongly;
        if (*done == tried::moved) {
            if (auto ok = catch_up(); !ok) return ok;
        }
    }
}

void event_writer::begin_try(write_batch& batch) {
    rows_ = std::make_unique<batch_rows>();
    last_id_ = head_.last_id;
    looked_ = false;
    assumed_ = false;
    searched_ = {};
    // Times never decrease with positions, whatever another server's clock says.
    batch.now = std::max(batch.now, head_.recorded_at);
    batch.head = head_.pos;
    head_position_ = head_.pos;
    keys_at_ = settings_.clock();
    unborn_.clear();
    found_ids_.clear();
    found_keys_.clear();
    forget_failure();
}

/// What the try has put into the caches is not so.
void event_writer::undo_try() {
    for (auto at = touched_.rbegin(); at != touched_.rend(); ++at) *at->first = at->second;
    for (const auto& one : made_names_) {
        names_[static_cast<std::size_t>(one.kind)].erase(one.tenant, one.name);
    }
    for (const auto& [in, name] : absent_streams_) streams_.erase(in, name);
    touched_.clear();
    absent_streams_.clear();
    made_names_.clear();
    pending_.clear();
    pending_shown_.clear();
    pending_ids_.clear();
    pending_keys_.clear();
    changed_rules_.clear();
}

void event_writer::settle(const write_batch& batch) {
    if (!changed_rules_.empty()) reclaimer_.rules_changed();
    // In this order: an entry that was touched is as it was committed.
    touched_.clear();
    absent_streams_.clear();
    // Streams of a tenant that was not there before are known by their names from now on.
    for (auto& [names, entry] : unborn_) {
        if (entry.id == 0) continue;
        if (const auto* in = tenant(names.first)) streams_.add(*in, names.second, entry);
    }
    made_names_.clear();
    undo_try();
    head_.pos = batch.head;
    settings_.known->acknowledged(head_.pos, head_.changes);
}

result<event_writer::tried> event_writer::try_once(write_batch& batch, bool look, bool locked) {
    if (locked) {
        if (auto ok = db_->begin(); !ok) return fail(ok.error());
        const auto head = read_head(true);
        if (!head) return fail(head.error());
        // Nobody can go on before us any more.
        if (head->changes != head_.changes) {
            if (auto ok = catch_up(); !ok) return fail(ok.error());
        }
    }
    begin_try(batch);
    if (look || !knows_enough(batch)) {
        const auto same = look_up(batch);
        if (!same) return fail(same.error());
        if (!*same) return tried::moved;
    }
    if (auto ok = decide_batch(batch, *this); !ok) return fail(ok.error());
    fill(*rows_);
    if (rows_->any()) return call(batch, locked);
    // Refusals are answers about the log as well: what they stand on must be proven.
    if (assumed_) return tried::assumed_wrongly;
    if (!locked && !looked_) {
        const auto head = read_head(false);
        if (!head) return fail(head.error());
        if (head->changes != head_.changes) return tried::moved;
    }
    return tried::written;
}

void event_writer::fill(batch_rows& rows) {
    for (const auto& [key, kept] : pending_keys_) {
        if (kept.entry != nullptr)
            rows.add_key(kept.tenant, *kept.entry, kept.answer, kept.expires_at);
    }
    for (const auto& [stream, entry] : changed_rules_)
        rows.add_rules(stream, entry->tenant, entry->rules);
}

result<event_writer::tried> event_writer::call(write_batch& batch, bool locked) {
    const log_head after{.pos = batch.head,
                         .changes = head_.changes + 1,
                         .recorded_at = batch.head == head_.pos ? head_.recorded_at : batch.now,
                         .last_id = last_id_};
    const uuid token = uuid_v7();
    const auto begun = monotonic::now();
    (void)db_->take_warning();
    auto done = db_->run(append_batch, rows_->call(token, head_, after, keys_at_));
    bool ambiguous = !done && !db_->usable();
    if (done && (*done)[0][0].as<int>() != 0) {
        return (*done)[0][0].as<int>() == 1 ? tried::moved : tried::assumed_wrongly;
    }
    if (done && locked) {
        if (const auto committed = db_->commit(); !committed) {
            ambiguous = true;
            done = fail(committed.error());
        }
    }
    // It is there, but perhaps only on this server.
    if (done && db_->take_warning()) ambiguous = true;
    if (ambiguous) {
        const auto there = resolve(batch, token, begun);
        unresolved_ = !there;
        if (!there) return fail(there.error());
        if (!*there) {
            ++lost_tries_;
            return tried::moved;
        }
    } else if (!done) {
        return fail(done.error());
    }
    head_.changes = after.changes;
    head_.recorded_at = after.recorded_at;
    head_.last_id = after.last_id;
    return tried::written;
}

/// Whether the batch is in the log. An error: that could not be found out.
result<bool> event_writer::resolve(const write_batch& batch, const uuid& token,
                                   monotonic::time_point begun) {
    telemetry::log(telemetry::level::warn, "store",
                   "it is not known whether a batch was written; looking",
                   {{"position", batch.head}});
    const auto until = std::max(begun + resolve_max, monotonic::now() + resolve_min);
    for (;;) {
        auto there = resolve_once(batch, token);
        if (there || there.error().code != store_errc::unavailable) return there;
        const auto next = std::max(pace_.next_try(), monotonic::now() + backoff::first);
        if (next > until) return there;
        std::this_thread::sleep_until(next);
    }
}

result<bool> event_writer::resolve_once(const write_batch& batch, const uuid& token) {
    if (auto ok = connect(); !ok) return fail(ok.error());
    if (auto ok = db_->begin(); !ok) return fail(ok.error());
    const auto answer = [&]() -> result<bool> {
        const auto head = read_head(true);
        if (!head) return fail(head.error());
        const bool events = batch.events && !batch.events->events.empty();
        const auto found =
            db_->run(resolve_batch, params{}
                                        .add(token)
                                        .add(events ? batch.head : position{0})
                                        .add(events ? batch.events->events.back().id : uuid{}));
        if (!found) return fail(found.error());
        if (auto moved = db_->run(fence); !moved) return fail(moved.error());
        // Acknowledged by the standby as well, it acknowledges all that came before.
        (void)db_->take_warning();
        if (auto ok = db_->commit(); !ok) return fail(ok.error());
        if (db_->take_warning()) {
            return fail(store_errc::unavailable, "the database's standby does not answer");
        }
        return (*found)[0][0].as<bool>();
    }();
    if (!answer) db_->roll_back();
    return answer;
}

result<log_backend::recovered> event_writer::recover(position known_head) {
    const at_work from_now_on{works_since_};
    auto back = believing([&] { return recover_from(known_head); });
    if (!back && db_) db_->roll_back();
    return back;
}

result<log_backend::recovered> event_writer::recover_from(position known_head) {
    const auto begun = monotonic::now();
    forget_everything();
    foreign_ = {};
    if (auto ok = connect(); !ok) return fail(ok.error());
    if (auto ok = db_->begin(); !ok) return fail(ok.error());
    // Locked: it waits for whatever a lost session was about to commit.
    const auto head = read_head(true);
    auto fenced = head ? db_->run(fence) : fail(head.error());
    if (fenced) {
        (void)db_->take_warning();
        if (auto ok = db_->commit(); !ok) fenced = fail(ok.error());
        if (fenced && db_->take_warning())
            fenced = fail(store_errc::unavailable, "the database's standby does not answer");
    }
    if (!fenced) return fail(fenced.error());
    if (head->pos < known_head) {
        return fail(store_errc::unavailable, "events that were shown are missing",
                    fmt::format("the log ends at {}, shown up to {}", head->pos, known_head));
    }
    head_.pos = known_head;
    if (auto ok = learn(*head); !ok) return fail(ok.error());
    head_ = *head;
    ++head_.changes;
    if (auto ok = load_rules(); !ok) return fail(ok.error());
    settings_.database.overdue->seen(begun);
    return recovered{
        .head = head_.pos, .last_recorded_at = head_.recorded_at, .surprising = nullptr};
}

void event_writer::close() {
    db_.reset();
    searching_.reset();
}

}  // namespace flexcore::store::postgres
