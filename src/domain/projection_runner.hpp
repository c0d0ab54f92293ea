// projection_runner: keeps read models up to date from the log, exactly once.
//
// Shape:    one thread for all projections of a view store. Each pass gives every projection that
//           lags one batch: read, apply, commit rows and checkpoint together.
// Rebuild:  another generation is filled beside the serving one, then switched in at once. A
//           projection that comes with another version, or whose checkpoint lies above the log's
//           head, is rebuilt by itself.
// Poison:   a batch that fails is halved until the event is found; the projection stops there, says
//           why, tries again with growing delays. Only the operator may skip it, by position.
// Threads:  public functions on any thread. Waiters run on the projector's thread and must be
// quick.
#pragma once

#include "bus/change_counters.hpp"
#include "bus/event_bus.hpp"
#include "bus/inline_gate.hpp"
#include "bus/query_bus.hpp"
#include "domain/errc.hpp"
#include "domain/projection_behavior.hpp"
#include "runtime/timers.hpp"
#include "store/view_store.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::domain {

struct projection_settings {
    monotonic::duration apply_timeout = std::chrono::seconds{10};
    monotonic::duration retry_delay = std::chrono::milliseconds{500};
    monotonic::duration retry_delay_max = std::chrono::minutes{1};
    std::size_t rebuild_batch_max = 5'000;
};

enum class projection_state : std::uint8_t { running, catching_up, paused, stopped, rebuilding };

struct projection_status {
    std::string name;
    std::string plugin;
    std::uint32_t version = 0;
    projection_state state = projection_state::running;
    bool inline_mode = false;
    store::position checkpoint = 0;
    std::uint64_t lag_events = 0;          ///< positions between checkpoint and head
    std::uint64_t lag_ms = 0;              ///< age of the oldest event not yet applied
    std::string error;                     ///< why it stopped, for the operator
    store::position poison = 0;            ///< the event it stopped at, 0 when none
    store::position rebuild_position = 0;  ///< how far the generation beside is
    std::vector<store::model_spec> models;
};

class projection_runner final : public bus::inline_gate, public bus::read_model_progress {
public:
    projection_runner(projection_settings, store::event_log&, store::view_store&, bus::event_bus&,
                      bus::change_counters&, telemetry::metrics&, telemetry::health_registry&);
    ~projection_runner() override;

    /// bus_errc::duplicate_name when the projection or one of its models is taken. While the
    /// runner runs, returns when the read models can be read (or the store refused: `status`).
    /// What an unloaded projection left in the store is dropped when a model has a new writer.
    [[nodiscard]] result<void> add(projection_spec, std::shared_ptr<projection_behavior>);
    /// Stops it after the batch at hand, then runs `removed` (at once when there is none such).
    /// Rows and checkpoint stay.
    void remove(std::string_view name, std::move_only_function<void()> removed);

    [[nodiscard]] std::vector<projection_status> all() const;  ///< by name
    [[nodiscard]] result<projection_status> status(std::string_view name) const;
    [[nodiscard]] result<void> rebuild(std::string_view name);
    [[nodiscard]] result<void> pause(std::string_view name);
    [[nodiscard]] result<void> resume(std::string_view name);
    /// Passes over the poison event at exactly this position, with a line in the log.
    [[nodiscard]] result<void> skip(std::string_view name, store::position);
    /// The read models that projections write now, with their projection's name.
    [[nodiscard]] std::vector<std::pair<store::model_spec, std::string>> models() const;

    [[nodiscard]] bool applied(store::position) const noexcept override;
    void when_applied(store::position, deadline, std::move_only_function<void()>) override;
    [[nodiscard]] store::position reached(const std::vector<std::string>& models) const override;
    void when_reached(const std::vector<std::string>& models, store::position, deadline,
                      std::move_only_function<void(bool)>) override;

    void start();
    void stop();  ///< after the batch at hand; waiters are answered "not reached"

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::domain
