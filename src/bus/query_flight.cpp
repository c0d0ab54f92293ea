#include "bus/query_flight_impl.hpp"

namespace flexcore::bus {

registered_query::registered_query(query_descriptor d, std::shared_ptr<query_handler> h,
                                   std::uint64_t n, telemetry::metrics& metrics)
    : about{std::move(d)},
      handler{std::move(h)},
      number{n},
      answered{metrics,
               "flexcore_queries_total",
               "Queries answered, by name and outcome",
               {{"query", about.name}}},
      seconds{metrics.histogram_for("flexcore_query_seconds",
                                    "From a query's arrival to its answer, cache hits left out",
                                    telemetry::latency_bounds(), {{"query", about.name}})} {}

query_waiter::~query_waiter() {
    answer(fail(bus_errc::handler_failed, "the query was not answered",
                "the handler of " + entry_->about.name + " dropped its callback"));
}

bool query_waiter::answer(result<std::shared_ptr<const query_answer>> what, outcome how) {
    if (answered_.exchange(true)) return false;
    in_flight_->fetch_sub(1, std::memory_order_relaxed);
    entry_->answered[what ? how : outcome_of(what.error())].add();
    entry_->seconds.observe(std::chrono::duration<double>(monotonic::now() - begun_).count());
    auto done = std::move(done_);
    done(std::move(what));
    return true;
}

bool query_flights::join(const std::shared_ptr<query_flight>& made) {
    const query_key key = made->key();
    auto& shard = shards_[(key.hash >> 8) % shards_.size()];
    const std::lock_guard lock{shard.mutex};
    const auto [first, last] = shard.waiting.equal_range(key.hash);
    for (auto at = first; at != last; ++at) {
        auto& flight = *at->second;
        const query_key other = flight.key();
        if (other.query != key.query || other.tenant != key.tenant ||
            other.principal != key.principal || other.params != key.params) {
            continue;
        }
        flight.asked.until = std::max(flight.asked.until, made->asked.until);
        for (auto& waiter : made->waiters) flight.waiters.push_back(std::move(waiter));
        return true;
    }
    shard.waiting.emplace(key.hash, made);
    return false;
}

void query_flights::begin(const std::shared_ptr<query_flight>& flight) {
    const std::size_t hash = flight->key().hash;
    auto& shard = shards_[(hash >> 8) % shards_.size()];
    const std::lock_guard lock{shard.mutex};
    const auto [first, last] = shard.waiting.equal_range(hash);
    for (auto at = first; at != last; ++at) {
        if (at->second == flight) {
            shard.waiting.erase(at);
            return;
        }
    }
}

}  // namespace flexcore::bus
