#include "store/sqlite/event_writer.hpp"

#include "base/check.hpp"
#include "store/sqlite/migrations.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

// A stream takes about 200 bytes of memory, a name about 150.
constexpr std::size_t streams_kept_max = 65'536;
constexpr std::size_t names_kept_max = 32'768;
constexpr std::size_t frame_header_bytes = 24;

}  // namespace

result<std::unique_ptr<event_writer>> event_writer::open(event_writer_settings settings) {
    if (!settings.rules) settings.rules = std::make_shared<rule_board>(settings.clock);
    std::unique_ptr<event_writer> made{new event_writer{std::move(settings)}};
    if (auto ok = made->connect(); !ok) return fail(std::move(ok.error()));
    // A process that was killed between writing and syncing left commits that only look durable;
    // a checkpoint syncs the WAL. Nothing is read, or answered as known, before that. With no space
    // for the pages it has synced all the same, and what is there can be read.
    const auto synced = made->db_.checkpoint(false);
    if (!synced && synced.error().code != store_errc::full) return fail(synced.error());
    return made;
}

event_writer::event_writer(event_writer_settings settings)
    : settings_{std::move(settings)},
      tenants_{names_kept_max},
      streams_{streams_kept_max},
      names_{name_cache<name_entry>{names_kept_max}, name_cache<name_entry>{names_kept_max},
             name_cache<name_entry>{names_kept_max}} {}

event_writer::~event_writer() = default;

result<void> event_writer::connect() {
    auto db = connection::open(settings_.database);
    if (!db) return fail(std::move(db.error()));
    db_ = std::move(*db);
    if (auto ok = migrate(db_, event_migrations(), event_log_application); !ok) return ok;
    if (auto ok = attach_batch_tables(db_, pending_); !ok) return ok;
    const auto page_bytes = db_.integer("PRAGMA page_size");
    if (!page_bytes) return fail(page_bytes.error());
    frame_bytes_ = static_cast<std::uint64_t>(*page_bytes) + frame_header_bytes;
    sqlite3_wal_hook(
        db_.get(),
        [](void* self, sqlite3*, const char*, int frames) {
            static_cast<event_writer*>(self)->wal_frames_ = frames;
            return SQLITE_OK;
        },
        this);
    if (auto ok = prepare(); !ok) return ok;
    return look_for_rules();
}

/// What the board has to know of what is stored.
result<void> event_writer::look_for_rules() {
    rule_board& board = *settings_.rules;
    reclaim_at_ = reclaimer_.any_removed() ? deadline{} : no_deadline;
    auto tenants = db_.prepare(
        "SELECT name FROM tenants WHERE id IN (SELECT DISTINCT tenant FROM stream_rules)");
    if (!tenants) return fail(std::move(tenants.error()));
    int code = tenants->step();
    for (; code == SQLITE_ROW; code = tenants->step()) {
        board.note(tenants->blob(0));
        if (board.changes() == 0) board.changed();
        reclaim_at_ = {};
    }
    if (code != SQLITE_DONE) return fail(db_.failure(code, "look for rules"));
    auto kept = db_.prepare("SELECT name, checksum FROM kept_categories");
    if (!kept) return fail(std::move(kept.error()));
    for (code = kept->step(); code == SQLITE_ROW; code = kept->step()) {
        if (checksum_of_category(kept->blob(0)) != kept->natural(1)) {
            return fail(store_errc::corrupt, "events.db: kept_categories is damaged",
                        fmt::format("{}: kept category {} does not fit its checksum", db_.file(),
                                    kept->blob(0)));
        }
        board.keep_saved(kept->blob(0));
    }
    if (code != SQLITE_DONE) return fail(db_.failure(code, "read the kept categories"));
    return {};
}

/// The rules as this transaction sees them.
void event_writer::begin_rules(unix_us now) {
    const auto changes = settings_.rules->changes();
    rules_.begin(changes == 0 && rules_changed_ ? 2 : changes, now);
}

result<void> event_writer::prepare() {
    struct kind_names {
        posting_kind kind;
        const char* table;
    };
    for (const auto& [kind, table] :
         {kind_names{posting_kind::tag, "tags"}, kind_names{posting_kind::type, "types"},
          kind_names{posting_kind::category, "categories"}}) {
        auto& kept = name_statements_[static_cast<std::size_t>(kind)];
        const auto find = fmt::format("SELECT id FROM {} WHERE name=?1 AND tenant=?2", table);
        const auto add = fmt::format("INSERT INTO {} (name, tenant) VALUES (?1, ?2)", table);
        if (auto ok = db_.prepare(kept.find, find); !ok) return ok;
        if (auto ok = db_.prepare(kept.add, add); !ok) return ok;
    }
    const std::pair<statement*, std::string_view> all[] = {
        {&begin_, "BEGIN IMMEDIATE"},
        {&commit_, "COMMIT"},
        {&insert_events_, "INSERT INTO events SELECT * FROM pending_events"},
        {&insert_tags_, "INSERT INTO event_tags SELECT tag, position FROM pending_tags"},
        {&tenant_find_, "SELECT id FROM tenants WHERE name=?1"},
        {&tenant_add_, "INSERT INTO tenants (name) VALUES (?1)"},
        {&stream_find_, "SELECT id, category FROM streams WHERE tenant=?1 AND name=?2"},
        {&stream_add_,
         "INSERT INTO streams (tenant, category, created_at, name) VALUES (?1, ?2, ?3, ?4)"},
        {&stream_version_, "SELECT max(version) FROM events WHERE stream=?1"},
        {&by_id_,
         "SELECT position, stream, version, place, recorded_at FROM events "
         "WHERE id=?1 AND tenant=?2"},
        {&by_position_,
         "SELECT position, stream, version, place, recorded_at FROM events WHERE position=?1"},
        {&stream_of_event_,
         "SELECT s.name FROM events e JOIN streams s ON s.id=e.stream WHERE e.position=?1"},
        {&events_after_,
         "SELECT e.position, s.name, e.stream, e.version, e.recorded_at "
         "FROM events e CROSS JOIN streams s ON s.id=e.stream "
         "WHERE e.position>?1 AND e.position<=?3 AND e.tenant=?2 ORDER BY e.position"},
        {&stream_range_,
         "SELECT id FROM streams WHERE tenant=?1 AND name>=?2 AND name<?3 ORDER BY name LIMIT ?4"},
        {&category_range_,
         "SELECT name FROM categories WHERE tenant=?1 AND name>=?2 AND name<?3 LIMIT ?4"},
        {&version_at_, "SELECT position FROM events WHERE stream=?1 AND version=?2"},
        {&key_find_,
         "SELECT fingerprint, answer FROM idempotency_keys "
         "WHERE tenant=?1 AND key=?2 AND expires_at>?3"},
        {&key_add_,
         "INSERT INTO idempotency_keys (tenant, key, fingerprint, answer, expires_at) "
         "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, key) DO UPDATE SET "
         "fingerprint=excluded.fingerprint, answer=excluded.answer, "
         "expires_at=excluded.expires_at"},
        {&key_expired_, "SELECT 1 FROM idempotency_keys WHERE expires_at<=?1 LIMIT 1"},
        {&key_purge_,
         "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys "
         "WHERE expires_at<=?1 ORDER BY expires_at LIMIT ?2)"},
    };
    for (const auto& [out, sql] : all) {
        if (auto ok = db_.prepare(*out, sql); !ok) return ok;
    }
    const auto rules_put = fmt::format(
        "INSERT INTO stream_rules ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
        "ON CONFLICT (stream) DO UPDATE SET max_age_us=?3, max_count=?4, truncate_before=?5, "
        "deleted=?6, deleted_to=?7, checksum=?8",
        rule_columns);
    const auto removed = fmt::format("SELECT {} FROM removed_ids WHERE ", removed_columns);
    if (auto ok = db_.prepare(rules_put_, rules_put); !ok) return ok;
    if (auto ok = db_.prepare(removed_by_id_, removed + "id=?1 AND tenant=?2"); !ok) return ok;
    if (auto ok = db_.prepare(removed_at_, removed + "position=?1"); !ok) return ok;
    const auto from = removed + "stream=?1 AND position>=?2 ORDER BY position LIMIT 1";
    if (auto ok = db_.prepare(removed_from_, from); !ok) return ok;
    if (auto ok = rules_.prepare(db_); !ok) return ok;
    if (auto ok = reclaimer_.prepare(db_); !ok) return ok;
    return postings_.prepare(db_);
}

void event_writer::disconnect() {
    for (statement* gone :
         {&begin_,       &commit_,          &insert_events_, &insert_tags_,    &tenant_find_,
          &tenant_add_,  &stream_find_,     &stream_add_,    &stream_version_, &by_id_,
          &by_position_, &stream_of_event_, &events_after_,  &stream_range_,   &category_range_,
          &version_at_,  &key_find_,        &key_add_,       &key_expired_,    &key_purge_,
          &rules_put_,   &removed_by_id_,   &removed_at_,    &removed_from_}) {
        *gone = {};
    }
    name_statements_ = {};
    postings_ = {};
    rules_ = {};
    reclaimer_ = {};
    db_ = {};
}

void event_writer::forget_everything() {
    tenants_.clear();
    streams_.clear();
    unborn_.clear();
    for (auto& kind : names_) kind.clear();
    rules_.forget();
}

void event_writer::start_batch() {
    pending_.events.clear();
    pending_.tags.clear();
    pending_ids_.clear();
    pending_ids_upto_ = 0;
    batch_memory_.release();
    wrote_ = false;
    rules_changed_ = false;
    forget_failure();
    postings_.forget_failure();
    unborn_.clear();
    tenants_.trim();
    streams_.trim();
    for (auto& kind : names_) kind.trim();
}

result<void> event_writer::write(write_batch& batch) {
    start_batch();
    head_ = batch.head;
    looks_left_ = looks_of_batch_max;
    begin_rules(batch.now);
    auto done = write_and_commit(batch);
    // Also when it failed: nobody sees what a failed commit left before the writer has recovered.
    settings_.rules->settled();
    if (done && rules_changed_) {
        reclaimer_.pass_again();
        reclaim_at_ = std::min(reclaim_at_, monotonic::now() + reclaim_pause_busy);
    }
    if (!done) {
        // What the caches learned in this transaction is not so.
        db_.roll_back();
        forget_everything();
    }
    return done;
}

result<void> event_writer::write_and_commit(write_batch& batch) {
    if (auto ok = db_.run(begin_, "begin a batch"); !ok) return ok;
    if (auto ok = decide_batch(batch, *this); !ok) return ok;
    flush();
    if (failure()) return fail(*failure());
    if (!wrote_) {
        db_.roll_back();  // only looked: no commit to wait for
        return {};
    }
    if (rules_changed_) settings_.rules->changing();
    if (auto ok = db_.run(commit_, "commit a batch"); !ok) return ok;
    if (settings_.wal_bytes != nullptr) {
        settings_.wal_bytes->set(static_cast<double>(wal_frames_) *
                                 static_cast<double>(frame_bytes_));
    }
    return {};
}

void event_writer::flush() {
    if (pending_.events.empty() || failure()) return;
    wrote_ = true;
    step_done(insert_events_, "insert events");
    if (!pending_.tags.empty() && !failure()) {
        // In the order of the index: neighbours go into one page.
        std::sort(pending_.tags.begin(), pending_.tags.end());
        step_done(insert_tags_, "insert tags");
    }
    pending_.events.clear();
    pending_.tags.clear();
    pending_ids_.clear();
    pending_ids_upto_ = 0;
}

result<log_backend::recovered> event_writer::recover(position known_head) {
    // A change that failed may be there, and show as soon as the database is open.
    if (settings_.rules->changes() != 0) settings_.rules->changing();
    disconnect();
    forget_everything();
    wal_frames_ = 0;
    wal_frames_retry_ = 0;
    if (auto ok = connect(); !ok) return fail(ok.error());
    // It may have been reclaiming that failed, and would again.
    not_reclaiming_before_ = monotonic::now() + reclaim_pause;
    if (auto emptied = db_.checkpoint(true); !emptied) return fail(emptied.error());
    // Read back over another connection: what this one believes is no proof.
    auto settings = settings_.database;
    settings.mode = access::read_only;
    auto reader = event_reader::open(settings, settings_.rules);
    if (!reader) return fail(reader.error());
    const auto end = (*reader)->end();
    if (!end) return fail(end.error());
    if (end->head < known_head) {
        return fail(store_errc::corrupt, "acknowledged events are missing",
                    fmt::format("{}: the log ends at {}, acknowledged up to {}", db_.file(),
                                end->head, known_head));
    }
    settings_.rules->settled();
    recovered back{.head = end->head, .last_recorded_at = end->recorded_at, .surprising = nullptr};
    if (end->head > known_head) {
        auto events = (*reader)->read_all(known_head);
        if (!events) return fail(events.error());
        back.surprising = std::move(*events);
    }
    return back;
}

void event_writer::close() {
    if (!db_.get()) return;
    if (const auto done = db_.checkpoint(true); !done) {
        telemetry::log(telemetry::level::warn, "store", "the log's WAL stays as it is",
                       {{"detail", std::string_view{done.error().log}}});
    }
}

void event_writer::release() { disconnect(); }

}  // namespace flexcore::store::sqlite
