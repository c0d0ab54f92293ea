// event_writer beside its appends: checkpoints, expired keys, the space of events not served any
// more.

#include "store/sqlite/event_writer.hpp"
#include "telemetry/log.hpp"

namespace flexcore::store::sqlite {
namespace {

// Under load the WAL may grow to this multiple of its limit before a checkpoint makes appends wait.
constexpr std::uint64_t busy_wal_factor = 4;
constexpr auto purge_pause = std::chrono::seconds{60};
constexpr auto purge_pause_busy = std::chrono::milliseconds{50};
constexpr int purge_keys_max = 500;

}  // namespace

result<deadline> event_writer::tidy(bool idle) {
    if (checkpoint_due(idle)) {
        if (auto ok = checkpoint(); !ok) return fail(std::move(ok.error()));
    }
    if (monotonic::now() >= purge_at_) {
        purge_at_ = monotonic::now() + purge_pause;  // also when it fails
        const auto more = purge_expired_keys();
        if (!more) return fail(more.error());
        if (*more) purge_at_ = idle ? monotonic::now() : monotonic::now() + purge_pause_busy;
    }
    const bool wanted = monotonic::now() >= reclaim_at_ || settings_.rules->any_unsaved();
    if (wanted && monotonic::now() >= not_reclaiming_before_) {
        reclaim_at_ = not_reclaiming_before_ = monotonic::now() + reclaim_pause;  // if it fails
        const auto more = reclaim();
        if (!more) return fail(more.error());
        if (*more)
            reclaim_at_ = monotonic::now() + (idle ? deadline::duration{} : reclaim_pause_busy);
        if (!reclaimer_.wanted(rules_)) reclaim_at_ = no_deadline;
    }
    // What would be due if nobody waited is done as soon as nobody does.
    return checkpoint_due(true)
               ? monotonic::now()
               : std::min(purge_at_, std::max(reclaim_at_, not_reclaiming_before_));
}

bool event_writer::checkpoint_due(bool idle) const {
    const std::uint64_t wal_bytes = static_cast<std::uint64_t>(wal_frames_) * frame_bytes_;
    return wal_bytes > settings_.wal_bytes_max * (idle ? 1 : busy_wal_factor) &&
           wal_frames_ >= wal_frames_retry_;
}

/// Work that may wait has failed. No space, or another process in the way: it is tried again
/// later. Anything else may have been an fsync: what the kernel dropped then is not known.
result<void> event_writer::put_off(result<void> done, std::string_view what) const {
    const bool harmless = done || done.error().code == store_errc::full ||
                          (sqlite3_errcode(db_.get()) & 0xff) == SQLITE_BUSY;
    if (!harmless) return done;
    if (!done) {
        telemetry::log(telemetry::level::warn, "store", what,
                       {{"detail", std::string_view{done.error().log}}});
    }
    return {};
}

result<void> event_writer::checkpoint() {
    const auto done = db_.checkpoint(false);
    if (done && done->done_frames == done->wal_frames) {
        // The next commit begins the WAL anew.
        wal_frames_ = 0;
        wal_frames_retry_ = 0;
        return {};
    }
    // A reader stands in the way, or the disk: not again before the WAL grew noticeably.
    wal_frames_retry_ =
        wal_frames_ + 1 + static_cast<int>(settings_.wal_bytes_max / 4 / frame_bytes_);
    if (done) return {};
    return put_off(fail(done.error()), "a checkpoint of the log failed");
}

/// True: there may be more.
result<bool> event_writer::purge_expired_keys() {
    const std::int64_t now = settings_.clock();
    {
        run_scope scope{key_expired_};
        const int code = key_expired_.bind(1, now).step();
        if (code == SQLITE_DONE) return false;
        if (code != SQLITE_ROW) {
            auto judged = put_off(fail(db_.failure(code, "look for expired keys")),
                                  "expired idempotency keys could not be looked for");
            if (!judged) return fail(std::move(judged.error()));
            return false;
        }
    }
    int gone = 0;
    const auto done = [&]() -> result<void> {
        if (auto ok = db_.run(begin_, "begin a purge"); !ok) return ok;
        key_purge_.bind(1, now).bind(2, std::int64_t{purge_keys_max});
        if (auto ok = db_.run(key_purge_, "delete expired idempotency keys"); !ok) return ok;
        gone = sqlite3_changes(db_.get());
        return db_.run(commit_, "commit a purge");
    }();
    if (done) return gone == purge_keys_max;
    auto judged = put_off(done, "expired idempotency keys could not be deleted");
    db_.roll_back();
    if (!judged) return fail(std::move(judged.error()));
    return false;
}

/// Frees the space of some events that are not served any more. True: there may be more.
result<bool> event_writer::reclaim() {
    const unix_us now = settings_.clock();
    rules_changed_ = false;
    begin_rules(now);
    if (!reclaimer_.wanted(rules_) && !settings_.rules->any_unsaved()) {
        not_reclaiming_before_ = {};
        return false;
    }
    bool more = false;
    std::size_t saved = 0;
    std::size_t removed = 0;
    const auto done = [&]() -> result<void> {
        if (auto ok = db_.run(begin_, "begin to reclaim"); !ok) return ok;
        if (auto ok = reclaimer_.save_kept(*settings_.rules, saved); !ok) return ok;
        const auto head = db_.integer("SELECT max(position) FROM events");
        if (!head) return fail(head.error());
        const auto step =
            reclaimer_.step(rules_, *settings_.rules, static_cast<position>(*head), now);
        if (!step) return fail(step.error());
        const auto ids = reclaimer_.forget_ids(now);
        if (!ids) return fail(ids.error());
        more = !step->passed || *ids;
        removed = step->removed;
        return db_.run(commit_, "commit what was reclaimed");
    }();
    if (done) {
        not_reclaiming_before_ = {};
        settings_.rules->saved(saved);
        if (settings_.reclaimed != nullptr && removed != 0) {
            settings_.reclaimed->add(static_cast<double>(removed));
        }
        return more;
    }
    // Before SQLite's code is that of the rollback.
    auto judged = put_off(done, "the space of events could not be reclaimed");
    const bool misfit = (sqlite3_errcode(db_.get()) & 0xff) == SQLITE_CONSTRAINT;
    db_.roll_back();
    // Of what is stored, not of the disk: appends do not have to wait for it.
    if (done.error().code == store_errc::corrupt || misfit) {
        const bool others = reclaimer_.pass_over();
        telemetry::log(telemetry::level::error, "store",
                       others ? "a stream's space cannot be reclaimed, its events or rules are "
                                "damaged"
                              : "the space of events cannot be reclaimed for damage",
                       {{"error", std::string_view{done.error().client}},
                        {"detail", std::string_view{done.error().log}}});
        if (others) not_reclaiming_before_ = {};
        return others;
    }
    reclaimer_.step_undone();
    if (!judged) return fail(std::move(judged.error()));
    return false;
}

}  // namespace flexcore::store::sqlite
