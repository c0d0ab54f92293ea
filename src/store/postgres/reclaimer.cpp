#include "store/postgres/reclaimer.hpp"

#include <pqxx/row>

namespace flexcore::store::postgres {
namespace {

constexpr int events_per_step = 100;
constexpr int streams_per_step = 200;
constexpr int ids_per_step = 500;
constexpr auto between_passes = std::chrono::seconds{60};
// An hour longer than idempotency keys are kept.
constexpr unix_us ids_kept_us = 25LL * 3600 * 1'000'000;

constexpr sql kept_categories{"kept_categories", "SELECT name FROM kept_categories"};
constexpr sql keep_categories{"keep_categories",
                              "INSERT INTO kept_categories (name) SELECT unnest($1::text[]) "
                              "ON CONFLICT DO NOTHING"};
constexpr sql reclaim{"reclaim", "SELECT stream_id, removed FROM reclaim_step($1, $2, $3, $4, $5)"};
constexpr sql forget_ids{
    "forget_ids",
    "DELETE FROM removed_ids WHERE position = ANY (ARRAY(SELECT position FROM removed_ids "
    "WHERE forget_at <= $1 ORDER BY forget_at LIMIT $2))"};

}  // namespace

result<void> reclaimer::load(connection& db) {
    const auto rows = db.run(kept_categories);
    if (!rows) return fail(rows.error());
    for (const auto& row : *rows) rules_->keep_saved(row[0].as<std::string>());
    return {};
}

result<void> reclaimer::save_kept(connection& db) {
    const auto unsaved = rules_->unsaved();
    const auto done = db.run(keep_categories, params{}.add(array_text::of(unsaved)));
    if (!done) return fail(done.error());
    rules_->saved(unsaved.size());
    return {};
}

deadline reclaimer::next() const noexcept {
    if (rules_->any_unsaved()) return deadline{};
    return rules_->has_any() ? due_ : no_deadline;
}

/// Ids of what was removed long ago, a part of them.
result<void> reclaimer::forget(connection& db, unix_us now) {
    const auto forgotten = db.run(forget_ids, params{}.add(now).add(ids_per_step));
    if (!forgotten) return fail(forgotten.error());
    forgetting_ = forgotten->affected_rows() == ids_per_step;
    if (forgetting_) {
        due_ = monotonic::now() + std::chrono::seconds{1};
    } else if (changed_) {
        due_ = monotonic::now() + pause_busy;
    }
    return {};
}

result<void> reclaimer::step(connection& db, unix_us now, bool idle) {
    // Before anything is removed: a category may be new, and its streams' rules old.
    if (rules_->any_unsaved()) {
        if (auto ok = save_kept(db); !ok) return ok;
    }
    if (!rules_->has_any() || monotonic::now() < due_) return {};
    due_ = monotonic::now() + between_passes;  // also when it fails
    if (forgetting_) return forget(db, now);
    if (at_stream_ == 0) changed_ = false;
    const auto rows = db.run(reclaim, params{}
                                          .add(at_stream_)
                                          .add(now)
                                          .add(now + ids_kept_us)
                                          .add(events_per_step)
                                          .add(streams_per_step));
    if (!rows) return fail(rows.error());
    const auto row = (*rows)[0];
    const bool removed = !row[0].is_null() && row[1].as<int>() != 0;
    if (row[0].is_null()) {
        at_stream_ = 0;
        forgetting_ = true;  // the pass is over
    } else {
        at_stream_ = row[0].as<std::uint64_t>();
        if (removed_ != nullptr) removed_->add(row[1].as<double>());
    }
    // One statement a second when there is nothing to do.
    due_ = monotonic::now() + (!removed ? monotonic::duration{std::chrono::seconds{1}}
                               : idle   ? monotonic::duration{}
                                        : pause_busy);
    return {};
}

}  // namespace flexcore::store::postgres
