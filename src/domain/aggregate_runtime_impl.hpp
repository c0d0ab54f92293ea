// The inside of aggregate_runtime: lanes by stream, turns, the cache's bounds.
#pragma once

#include "domain/aggregate_lane_impl.hpp"
#include "domain/aggregate_runtime.hpp"

#include <array>
#include <map>
#include <shared_mutex>

namespace flexcore::domain {

struct aggregate_runtime::state : std::enable_shared_from_this<aggregate_runtime::state> {
    state(aggregate_settings, store::event_log&, runtime::executor&, telemetry::metrics&,
          store::snapshot_store*);

    // aggregate_runtime.cpp: registration, admission, the cache
    void execute(bus::accepted_command, bus::command_done);
    void seen(const store::commit&) noexcept;
    void streams_changed(const store::commit&);
    void release_lanes_of(const aggregate_kind&);
    /// The lane's turn is over: the next one, or idle.
    void end_turn(const std::shared_ptr<lane>&);
    void put_back(lane&, std::vector<std::shared_ptr<waiting_command>> first_to_last);
    [[nodiscard]] std::shared_ptr<waiting_command> next_of(lane&);

    // aggregate_turn.cpp: deciding
    void start_turn(const std::shared_ptr<lane>&);
    void advance(const std::shared_ptr<lane>&);
    /// False when the behavior will answer later.
    [[nodiscard]] bool consider(const std::shared_ptr<lane>&,
                                const std::shared_ptr<waiting_command>&);
    void decided(lane&, const std::shared_ptr<waiting_command>&, result<decision>);
    void completed(const std::shared_ptr<lane>&, const std::shared_ptr<decide_call>&,
                   result<decision>);
    /// Gives up a decide that is beyond its deadline, so that the lane lives on.
    void give_up(const std::shared_ptr<lane>&, const std::shared_ptr<decide_call>&);

    // aggregate_settle.cpp: writing and answering
    void finish(const std::shared_ptr<lane>&);
    void write(const std::shared_ptr<lane>&);
    void settle(const std::shared_ptr<lane>&, result<store::append_outcome>);
    void answer_written(lane&, const store::append_outcome&);
    void decide_again(lane&, std::vector<turn_item>, const error& why, bool counts);

    [[nodiscard]] lane_shard& home_of(stream_key key) noexcept {
        return shards[lane_hash{}(key) % shards.size()];
    }
    void post(std::shared_ptr<lane> to, void (state::*step)(const std::shared_ptr<lane>&)) {
        workers.post(
            [self = shared_from_this(), to = std::move(to), step] { ((*self).*step)(to); });
    }

    const aggregate_settings settings;
    store::event_log& log;
    runtime::executor& workers;
    const snapshot_use snapshots;

    mutable std::shared_mutex kinds_mutex;
    std::map<std::string, std::shared_ptr<aggregate_kind>, std::less<>> kinds;

    std::array<lane_shard, 64> shards;
    std::atomic<std::size_t> lanes{0};
    std::atomic<std::size_t> cached{0};
    std::atomic<std::size_t> cached_bytes{0};
    std::atomic<std::size_t> evict_next{0};

    /// Answers of the log, on their way from the writer's thread to a worker: one task for all
    /// that come while it waits.
    std::mutex settled_mutex;
    std::vector<std::pair<std::shared_ptr<lane>, result<store::append_outcome>>> settled;

    telemetry::counter& turns;
    telemetry::counter& loads;
    telemetry::counter& conflicts;
    telemetry::counter& overdue;
    telemetry::counter& late;
    telemetry::gauge& cached_states;
    telemetry::gauge& cached_state_bytes;

private:
    void evict();
};

}  // namespace flexcore::domain
