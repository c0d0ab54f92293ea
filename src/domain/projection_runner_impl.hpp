// The inside of projection_runner.
//
// Threads: `projections` (the map and its order) belongs to `names`; a projection says itself what
//          belongs to whom. Everything marked [projector] runs on that thread only, as do all
//          writing calls of the view store.
#pragma once

#include "domain/projection_impl.hpp"
#include "domain/projection_runner.hpp"
#include "domain/projection_waiters_impl.hpp"

#include <map>
#include <shared_mutex>
#include <thread>

namespace flexcore::domain {

struct projection_runner::state {
    state(projection_settings, store::event_log&, store::view_store&, bus::event_bus&,
          bus::change_counters&, telemetry::metrics&, telemetry::health_registry&);

    using shared = std::shared_ptr<projection>;

    // projection_pass.cpp: who there is, what they want, what is shown of them
    [[nodiscard]] std::vector<shared> all() const;
    [[nodiscard]] shared find(std::string_view name) const;
    [[nodiscard]] projection_status status_of(const projection&) const;
    [[nodiscard]] store::position reached(const std::vector<std::string>& models) const;
    void finish_removals();                         // when the thread is gone
    void run();                                     // [projector]
    [[nodiscard]] bool take_wishes(const shared&);  // [projector] false: it is removed
    void forget(const shared&);                     // [projector], or nobody is
    void publish(projection&);  // [projector] shows what is true now, wakes waiters

    // projection_open.cpp: [projector] which generations there are and what becomes of them
    void open(projection&);
    [[nodiscard]] result<void> find_generations(projection&);
    [[nodiscard]] result<void> begin_building(projection&);
    [[nodiscard]] result<void> follow(projection&, follower&, const store::generation&);
    void drop(const store::generation&, std::string_view why);
    void look_for_others();

    // projection_follow.cpp: [projector] one batch after the other; true when there is more to do
    [[nodiscard]] bool step(projection&, deadline& due);
    [[nodiscard]] bool step(projection&, follower&, deadline& due);
    [[nodiscard]] bool apply(projection&, follower&);
    [[nodiscard]] result<void> apply_chunk(projection&, std::span<const store::recorded_event>,
                                           std::shared_ptr<const void> keep,
                                           store::view_transaction&,
                                           std::vector<bus::change_counters::slot>* changed);
    [[nodiscard]] result<void> save(follower&);
    [[nodiscard]] result<void> move_checkpoint(follower&, store::position to);
    void serve_if_complete(projection&);
    void skip(projection&, store::position);

    // projection_failure.cpp: [projector]
    void failed(projection&, follower&, const error& why, std::size_t tried);
    void stop(projection&, follower&, const error& why, store::position poison);
    void recovered(follower&);
    void reopen(projection&);

    [[nodiscard]] static bool serves(const projection& p, const follower& f) noexcept {
        return &f == &p.serving;
    }

    const projection_settings settings;
    store::event_log& log;
    store::view_store& views;
    bus::event_bus& events;
    bus::change_counters& changes;
    telemetry::metrics& metrics;
    telemetry::health_registry& health;

    mutable std::shared_mutex names;
    std::map<std::string, shared, std::less<>> projections;
    std::map<std::string, shared, std::less<>> writers;  ///< by model
    std::map<std::string, std::shared_ptr<std::atomic<store::position>>, std::less<>> lag_sources;

    std::atomic<store::position> gate{beyond_all};  ///< the lowest of the inline projections
    deadline look_at{};                             ///< [projector] what other servers have changed
    std::uint64_t generations_known = 0;            ///< [projector] 0: not yet

    position_waiters waiters;
    const std::shared_ptr<bell> wake = std::make_shared<bell>();
    std::atomic<bool> running{false};
    std::atomic<bool> stopping{false};
    std::thread thread;
};

}  // namespace flexcore::domain
