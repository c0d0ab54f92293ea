// event_log: the append-only log, as a port. Implemented by store/sqlite, store/postgres and
//            store/memory.
//
// Promises: durable, ordered without gaps, conditional, idempotent, atomic over streams,
//           immutable. One contract suite (tests/contract) holds every backend to them.
// Served:   what a stream's settings or a deletion take away is gone at once from every read and
//           every condition (but `read_history`); its space is freed later, in small pieces.
//           Versions, positions and ids are never given out again.
// Threads:  everything may be called on any thread. Reads block for as long as the disk takes and
//           never wait for writes. Append callbacks run on the log writer's thread and must be
//           quick; only a refusal given at once (busy, stopped, invalid_request, unavailable)
//           runs inside append().
// Order:    for each committed batch: head() moves, the commit listener runs, then the callbacks.
//           So when a caller is told "done", every listener has seen the events.
#pragma once

#include "base/result.hpp"
#include "store/errc.hpp"
#include "store/event.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

struct expected_version {
    enum class rule : std::uint8_t { any, none, exists, exact };
    rule what = rule::any;
    version exact = 0;  ///< only for rule::exact; exact 0 means the same as `none`
};

/// Events for one stream. No events: only the expectation is checked, nothing is written.
struct stream_append {
    std::string_view stream;
    expected_version expected;
    std::span<const new_event> events;
};

/// Holds when no event of the tenant after `after` matches (of this batch: only earlier appends).
/// A position beyond the log's end is an invalid_request.
/// What would take too long to find out is refused as an invalid_request.
struct append_condition {
    selector none_match;
    position after = 0;
};

/// Which of a stream's events are served. Absent: no such rule.
struct stream_settings {
    std::optional<std::uint64_t> max_age_s;  ///< 1 to max_age_s_max
    std::optional<std::uint64_t> max_count;  ///< the last so many; at least 1
    std::optional<version> truncate_before;  ///< from this version on; at most the next one
    friend bool operator==(const stream_settings&, const stream_settings&) = default;
};
inline constexpr std::uint64_t max_age_s_max = 9'000'000'000;

/// Changes what holds for a stream. Errors: version_conflict, stream_not_found, stream_deleted.
struct stream_change {
    enum class kind : std::uint8_t {
        settings,     ///< replaces all of them
        soft_delete,  ///< it counts as not there until it is written again, its versions go on
        tombstone,    ///< it is never read or written again
    };
    std::string_view stream;
    kind what = kind::settings;
    expected_version expected;
    stream_settings settings;
};

/// What one stream_append did.
struct stream_outcome {
    version first_version = 0;  ///< 0 when it had no events
    version last_version = 0;   ///< with no events: the stream's current version
    position first_position = 0;
    position last_position = 0;
};

struct append_outcome {
    std::vector<stream_outcome> appends;  ///< one per stream_append, same order
    std::vector<uuid> ids;                ///< of all events, in request order
    position pos = 0;                     ///< of the last event; head when there were none
    unix_us recorded_at = 0;
    bool repeated = false;  ///< known event ids: this is the first answer again
    /// Set when an idempotency key was known with the same fingerprint: the stored answer.
    /// Then nothing was checked or written and the other members are empty.
    std::optional<std::string> stored_answer;
};

/// Remembered in the transaction of the append, unique per tenant. Kept at least `keep_us`.
struct idempotency_entry {
    std::string_view key;          ///< scope included, at most 1 KiB
    std::string_view fingerprint;  ///< of the request; another one under this key conflicts
    /// Makes the stored answer from the outcome. Runs on the writer's thread; again with another
    /// outcome when the request is decided anew, the last time counts.
    std::function<std::string(const append_outcome&)> answer;
    unix_us keep_us = 24LL * 3600 * 1'000'000;
};

/// One atomic write. No appends and one entry is allowed: it records a refusal. A change stands
/// alone; done again it is `repeated`.
struct append_request {
    std::string_view tenant;
    std::vector<stream_append> appends;  ///< a stream may stand only once
    std::optional<append_condition> condition;
    std::optional<stream_change> change;
    std::vector<idempotency_entry> keys;  ///< at most two
    const void* origin = nullptr;         ///< handed to the commit listener as it is
    std::shared_ptr<const void> backing;  ///< owns every view above; kept while events circulate
};

using append_done = std::move_only_function<void(result<append_outcome>)>;

/// A committed request, as the commit listener sees it.
struct committed_append {
    const void* origin = nullptr;
    std::uint32_t first = 0, count = 0;  ///< its events within the batch
};
/// A stream whose settings or whose being there has changed.
struct changed_stream {
    std::string_view tenant;
    std::string_view stream;
};
struct commit {
    std::shared_ptr<const event_batch> batch;   ///< all new events, positions ascending; maybe none
    std::span<const committed_append> appends;  ///< in order; repeated ones have no events
    std::span<const changed_stream> changed = {};
    bool any_may_have_changed = false;  ///< after a failed commit: streams nobody knows of
    /// Not 0: others have written up to here, more than is told one by one. It stands before
    /// `batch`; who needs it reads the log.
    position passed_over_to = 0;
};
using commit_listener = std::function<void(const commit&)>;

enum class direction : std::uint8_t { forward, backward };

struct stream_page {
    std::shared_ptr<const event_batch> batch;
    version next = 0;  ///< the next `from`, 0 when there is no more
    version base = 0;  ///< read_history: versions up to here were deleted
};

struct log_filter {
    std::optional<std::string> tenant;  ///< absent: all tenants (projections)
    selector what;
    std::optional<unix_us> since;  ///< recorded_at >= since
};
struct log_page {
    std::shared_ptr<const event_batch> batch;
    position scanned_to = 0;  ///< continue after (before, backward) this position
    bool at_end = false;      ///< nothing more in that direction at the time of the read
};

struct stream_info {
    std::string stream;
    version ver = 0;
    unix_us created_at = 0;
    unix_us updated_at = 0;
    stream_settings settings = {};
};
struct stream_list {
    std::vector<stream_info> items;  ///< by name, bytewise
    std::string next;                ///< the last name when there is more, else empty
};

class event_log {
public:
    virtual ~event_log() = default;

    /// Queues the request. Requests of one call are written next to each other, in order.
    virtual void append(append_request, append_done) = 0;
    struct queued {
        append_request request;
        append_done done;
    };
    virtual void append_all(std::vector<queued>) = 0;

    /// From `from` on (0: first, or last when backward), at most `limit` events (and about 4 MiB).
    [[nodiscard]] virtual result<stream_page> read_stream(std::string_view tenant,
                                                          std::string_view stream, version from,
                                                          std::size_t limit, direction) = 0;
    /// What a stream's owner folds: forward, the settings passed over; only deletion takes events
    /// away. One that waits to be written again is an empty page with its `base`.
    [[nodiscard]] virtual result<stream_page> read_history(std::string_view tenant,
                                                           std::string_view stream, version from,
                                                           std::size_t limit) = 0;
    /// From now on no event of the category is removed because of settings: they are an aggregate's
    /// history. Kept over restarts.
    virtual void keep_history(std::string_view category) = 0;
    /// Whether the tenant has a stream with settings or a deletion: then what was committed once
    /// may not be served any more. Quick.
    [[nodiscard]] virtual bool retains(std::string_view tenant) const noexcept = 0;
    /// After `after` (before it when backward; 0 backward: from the head). Looks at a bounded
    /// number of events per call, so a page may be empty though more follows: see `at_end`.
    [[nodiscard]] virtual result<log_page> read_log(const log_filter&, position after,
                                                    std::size_t limit, direction) = 0;
    [[nodiscard]] virtual result<std::shared_ptr<const event_batch>> read_event(
        std::string_view tenant, const uuid& id) = 0;
    [[nodiscard]] virtual result<stream_info> stream(std::string_view tenant,
                                                     std::string_view name) = 0;
    [[nodiscard]] virtual result<stream_list> streams(std::string_view tenant,
                                                      std::string_view category,
                                                      std::string_view prefix,
                                                      std::string_view after,
                                                      std::size_t limit) = 0;
    struct stored_answer {
        std::string fingerprint;
        std::string answer;
    };
    /// The answer remembered under a key, if it is remembered still.
    [[nodiscard]] virtual result<std::optional<stored_answer>> find_answer(
        std::string_view tenant, std::string_view key) = 0;

    /// The last durable position; moves only after a commit has returned.
    [[nodiscard]] virtual position head() const noexcept = 0;
    /// Whether other processes may write to it as well.
    [[nodiscard]] virtual bool shared() const noexcept { return false; }
    /// The log's end where it is stored: head(), or beyond it while others have written what is not
    /// known here yet. May be a round trip.
    [[nodiscard]] virtual result<position> end() = 0;
    /// Set before the first append; runs on the writer's thread, must be quick, must not throw.
    virtual void on_commit(commit_listener) = 0;
    /// Refuses new appends, answers the queued ones, makes the log compact on disk. Idempotent.
    virtual void stop() = 0;
};

}  // namespace flexcore::store
