// query_flight: one run of a query's handler and everybody who waits for its answer.
//
// Joining: an equal query joins as long as the run has not begun. Later it could be answered from
//          a snapshot older than itself, and miss a write its client knows of.
// Threads: any; `flights` has a mutex per shard.
#pragma once

#include "bus/outcome_impl.hpp"
#include "bus/query_bus.hpp"
#include "bus/query_cache_impl.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace flexcore::bus {

struct registered_query {
    registered_query(query_descriptor, std::shared_ptr<query_handler>, std::uint64_t number,
                     telemetry::metrics&);

    const query_descriptor about;
    const std::shared_ptr<query_handler> handler;
    const std::uint64_t number;  ///< unique in this process
    std::atomic<bool> removed{false};
    const outcome_counters answered;
    telemetry::histogram& seconds;
};

/// One who asked; answered once, by the run or by the deadline.
class query_waiter {
public:
    query_waiter(std::shared_ptr<const registered_query> entry, query_done done, deadline latest,
                 std::shared_ptr<std::atomic<std::size_t>> in_flight)
        : until{latest},
          entry_{std::move(entry)},
          done_{std::move(done)},
          in_flight_{std::move(in_flight)} {}
    ~query_waiter();

    const deadline until;
    runtime::timer_id timer = 0;  ///< set before the waiter is shared

    /// True for whoever answers first. `how` counts the success.
    bool answer(result<std::shared_ptr<const query_answer>>, outcome how = outcome::ok);
    [[nodiscard]] bool answered() const noexcept { return answered_.load(); }

private:
    const std::shared_ptr<const registered_query> entry_;
    query_done done_;
    const std::shared_ptr<std::atomic<std::size_t>> in_flight_;
    const monotonic::time_point begun_ = monotonic::now();
    std::atomic<bool> answered_{false};
};

struct query_flight {
    query asked;  ///< of the first waiter; `until` is the latest of all
    std::shared_ptr<const registered_query> entry;
    std::string params;  ///< canonical
    std::vector<std::shared_ptr<query_waiter>> waiters;
    int attempts = 0;

    [[nodiscard]] query_key key() const noexcept {
        return {entry->number, asked.who.tenant,
                entry->about.varies_by_principal ? std::string_view{asked.who.principal}
                                                 : std::string_view{},
                params};
    }
};

/// The runs that have not begun.
class query_flights {
public:
    /// The waiting run of an equal query, which the waiter has joined; or nothing, and `made`
    /// waits now.
    [[nodiscard]] bool join(const std::shared_ptr<query_flight>& made);
    /// From here on nobody joins.
    void begin(const std::shared_ptr<query_flight>&);

private:
    struct part {
        std::mutex mutex;
        std::unordered_multimap<std::size_t, std::shared_ptr<query_flight>> waiting;
    };
    std::array<part, 16> shards_;
};

}  // namespace flexcore::bus
