// house: the whole way from command to query around a plugin host, on the memory store.
#pragma once

#include "bus/change_counters.hpp"
#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "bus/key_registry.hpp"
#include "bus/query_bus.hpp"
#include "domain/aggregate_runtime.hpp"
#include "domain/projection_runner.hpp"
#include "plugin/plugin_host.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker_pool.hpp"
#include "store/open.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace flexcore::plugin::testing {

inline constexpr std::chrono::seconds wait_max{60};

/// Where the build put a plugin: among the shipped ones or those that misbehave.
[[nodiscard]] std::filesystem::path shipped(std::string_view name);
[[nodiscard]] std::filesystem::path misbehaving(std::string_view name);

/// Waits until `holds`, at most `wait_max`.
template <class Condition>
[[nodiscard]] bool eventually(Condition holds) {
    const auto until = monotonic::now() + wait_max;
    while (!holds()) {
        if (monotonic::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

/// Fails the test with the error's texts.
void fail_with(const error&);
template <class T>
void must(const result<T>& got) {
    if (!got) fail_with(got.error());
}

/// An answer that comes by callback, as a value.
template <class T>
class pending {
public:
    pending()
        : promise_{std::make_shared<std::promise<result<T>>>()}, future_{promise_->get_future()} {}
    [[nodiscard]] std::move_only_function<void(result<T>)> callback() {
        return [promise = promise_](result<T> value) { promise->set_value(std::move(value)); };
    }
    [[nodiscard]] result<T> get() {
        if (future_.wait_for(wait_max) != std::future_status::ready)
            return fail(base_errc::internal, "no answer within the test's patience");
        return future_.get();
    }

private:
    std::shared_ptr<std::promise<result<T>>> promise_;
    std::future<result<T>> future_;
};
extern template class pending<bus::command_reply>;
extern template class pending<std::string>;

struct house {
    explicit house(plugin_settings = quick());
    ~house();
    /// Settings with short times, both plugin folders allowed.
    [[nodiscard]] static plugin_settings quick();

    [[nodiscard]] result<plugin_status> load(const std::filesystem::path&,
                                             std::string_view config = {});
    [[nodiscard]] result<bus::command_reply> command(
        std::string type, std::string id, std::string data,
        monotonic::duration timeout = std::chrono::seconds{30});
    void command_later(std::string type, std::string id, std::string data, bus::command_done);
    /// The "data" and position of the answer.
    [[nodiscard]] result<std::string> query(std::string name, std::string params,
                                            store::position min_position = 0,
                                            monotonic::duration timeout = std::chrono::seconds{30});
    [[nodiscard]] result<std::string> execute(std::string_view plugin, std::string input,
                                              monotonic::duration timeout = std::chrono::seconds{
                                                  30});
    /// Raw events, as the streams API would write them.
    [[nodiscard]] store::position append(std::string_view stream, std::string_view type,
                                         std::string_view data);
    [[nodiscard]] std::size_t events_in_log();
    [[nodiscard]] plugin_status status(std::string_view plugin) const;

    telemetry::metrics metrics;
    telemetry::health_registry health;
    runtime::timers timers;
    runtime::worker_pool workers{"work", 4};
    store::opened_store store;
    bus::event_bus events;
    bus::change_counters changes;
    bus::key_registry keys;
    bus::allow_all everybody;
    domain::projection_runner projections;
    domain::aggregate_runtime aggregates;
    bus::command_bus commands;
    bus::query_bus queries;
    std::optional<plugin_host> host;
};

}  // namespace flexcore::plugin::testing
