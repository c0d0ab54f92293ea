// A lane: the commands of one aggregate instance, one after the other, and its cached state.
//
// Turn:   what waits is decided in one go and written as ONE append, so that it lands whole or not
//         at all. (Separate appends, each expecting the version the one before leaves, are not
//         safe: when the first fails because of an event that came by another way, the second can
//         find exactly the version it expects and write what was decided on a state that never
//         was.)
// Keys:   an append carries the idempotency keys of one command. So a command with keys ends its
//         turn, and its refusal is written as a check of the version with the key.
// Fold:   a fold sees of an event what was decided, the same whether the event was just decided or
//         read back: stream, version, type, schema_version, data, metadata, tags. Id and position
//         are nil and 0, recorded_at is 0.
// Threads: the queue and the flags belong to the shard's mutex, the rest to whoever runs the turn
//         (one thread at a time, handed over through executor, log and shard).
#pragma once

#include "bus/command_bus.hpp"
#include "domain/aggregate_behavior.hpp"
#include "domain/aggregate_kind_impl.hpp"
#include "store/event_log.hpp"
#include "store/snapshot_store.hpp"

#include <atomic>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace flexcore::domain {

struct waiting_command {
    bus::accepted_command what;
    bus::command_done done;
    int attempts = 0;        ///< decisions that came to nothing
    bool alone = false;      ///< gets a turn of its own
    bool looked_up = false;  ///< its keys were not known before it was decided

    void answer(result<bus::command_reply> reply) { done(std::move(reply)); }
};

/// What a turn writes. Owns every text of its append; circulates with the events.
struct turn_texts {
    std::string tenant, stream;
    std::vector<store::new_event> events;
    std::vector<std::shared_ptr<bytes_arena>> arenas;
    bytes_arena own;  ///< metadata
    std::vector<std::string> keys;
    std::string fingerprint;
    std::size_t bytes = 0;
};

/// One command of a turn, decided.
struct turn_item {
    std::shared_ptr<waiting_command> who;
    std::optional<error> refused;
    std::size_t first_event = 0, events = 0;  ///< within the turn
    store::version after = 0;                 ///< the stream's, when the turn is durable
    std::string result;
};

struct turn {
    std::shared_ptr<turn_texts> texts = std::make_shared<turn_texts>();
    std::vector<turn_item> items;
    std::optional<std::size_t> keyed;  ///< the item whose keys are written
    bool closed = false;               ///< takes no more commands

    [[nodiscard]] bool writes() const noexcept { return !texts->events.empty() || keyed; }
};

struct lane;

/// An open decide. Answered inside the call, later, or given up after its deadline; then it keeps
/// what the behavior may still look at. Taken over: answered by another thread while the call has
/// not returned; the lane goes on without the thread that is inside.
struct decide_call {
    enum class phase : std::uint8_t { inside, outside, answered, taken_over, given_up };
    const std::thread::id decider = std::this_thread::get_id();
    std::shared_ptr<waiting_command> who;
    kind_use use;
    std::atomic<phase> at{phase::inside};
    result<decision> value;
    std::unique_ptr<aggregate_state> kept;
};

struct lane_shard;

struct lane {
    lane(std::string_view t, std::string_view s, std::shared_ptr<aggregate_kind> k, lane_shard& h)
        : tenant{t}, stream{s}, kind{std::move(k)}, home{h} {}

    const std::string tenant, stream;
    const std::shared_ptr<aggregate_kind> kind;
    lane_shard& home;

    /// [log writer] The highest version that came by another way. A state that is durable up to
    /// less is stale.
    std::atomic<store::version> foreign{0};
    /// [log writer] How often what the stream is has changed: it was deleted, for instance.
    std::atomic<std::uint64_t> changes{0};

    // Of the shard's mutex:
    std::deque<std::shared_ptr<waiting_command>> queue;
    bool busy = false;
    std::shared_ptr<decide_call> open;  ///< a decide that has not finished inside its call
    std::list<lane*>::iterator place;   ///< in `idle`, when not busy
    std::size_t cached_bytes = 0;
    kind_use use;  ///< while busy

    // Of the turn:
    std::unique_ptr<aggregate_state> state;  ///< null: to be loaded
    store::version base = 0;                 ///< deleted up to here; nothing of it is folded
    std::uint64_t changes_seen = 0;
    store::version snapshot_at = 0;  ///< of the newest snapshot taken or restored
    store::version durable = 0;      ///< up to here the state is in the log
    store::version ver = 0;          ///< the state's, with what the turn has decided
    std::shared_ptr<turn> now;

    /// The version as it counts: one that was deleted and not written again is not there.
    [[nodiscard]] store::version current(store::version v) const noexcept {
        return v == base ? 0 : v;
    }
    [[nodiscard]] bool stale() const noexcept {
        return foreign.load(std::memory_order_acquire) > durable ||
               changes.load(std::memory_order_acquire) != changes_seen;
    }
};

struct stream_key {
    std::string_view tenant, stream;
};
struct lane_hash {
    using is_transparent = void;
    std::size_t operator()(const stream_key& key) const noexcept {
        const std::hash<std::string_view> hash;
        return hash(key.stream) * 31 + hash(key.tenant);
    }
    std::size_t operator()(const std::shared_ptr<lane>& l) const noexcept {
        return (*this)(stream_key{l->tenant, l->stream});
    }
};
struct lane_same {
    using is_transparent = void;
    static stream_key key(const stream_key& k) noexcept { return k; }
    static stream_key key(const std::shared_ptr<lane>& l) noexcept {
        return {l->tenant, l->stream};
    }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept {
        return key(a).stream == key(b).stream && key(a).tenant == key(b).tenant;
    }
};

struct lane_shard {
    std::mutex mutex;
    std::unordered_set<std::shared_ptr<lane>, lane_hash, lane_same> lanes;
    std::list<lane*> idle;  ///< with a cached state, most recently used first
};

/// Adds a decision's events to the turn, each with the command's metadata. A member that the
/// behavior gave as well is the command's.
void add_events(turn_texts&, const decision&, std::string_view command_metadata);

/// The turn's events from `first` on, as a fold sees them, the first with version `ver`.
[[nodiscard]] std::vector<store::recorded_event> as_folded(const turn_texts&, std::size_t first,
                                                           store::version ver);

/// Snapshots are taken every so many events.
struct snapshot_use {
    store::snapshot_store* kept = nullptr;  ///< null: none are kept
    std::size_t every = 0;
    std::size_t bytes_max = 0;
};

/// Brings the lane's state up to the log, from a snapshot or nothing when it has none. Blocks.
/// Errors: log_incompatible, those of the store. Then the lane has no state.
[[nodiscard]] result<void> load(lane&, store::event_log&, const snapshot_use&);

/// Keeps the lane's state when it is time: all of it is durable, `last` is its last event. Blocks.
void keep_snapshot(lane&, const uuid& last, const snapshot_use&);

/// The answer of a written item.
[[nodiscard]] bus::command_reply reply_to(const turn_item&, const turn_texts&,
                                          const store::append_outcome&);

}  // namespace flexcore::domain
