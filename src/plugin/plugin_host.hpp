// plugin_host: loads plugins into this process, wires what they bring into buses and domain,
// watches their health, unloads them with a drain.
//
// Life:    verified → loaded → serving → draining → gone (or "retired": out of service but left
//          mapped, because the plugin does not claim FXC_UNLOADABLE).
// Calls:   every call has a handle with a generation, a deadline and one completion; late, double
//          and stale completions are counted and logged, never harmful.
// Threads: everything on any thread; `load` and `unload` take their turn one after the other and
//          block (run them on the worker pool); who has waited `start_timeout` for his turn gets
//          `busy`. Plugin code runs on workers, projections on the
//          projector's thread, start and drain on threads of their own; never on io threads.
// Errors:  plugin_errc.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/caller.hpp"
#include "bus/command_bus.hpp"
#include "bus/query_bus.hpp"
#include "domain/aggregate_runtime.hpp"
#include "domain/projection_runner.hpp"
#include "runtime/executor.hpp"
#include "runtime/timers.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

enum class plugin_errc {
    not_found = 1,  ///< no plugin of this name
    already_loaded,
    outside_dirs,   ///< the file does not lie below plugins.dirs
    bad_file,       ///< not a readable shared library with our entry
    bad_abi,        ///< no common version, or a table that cannot be right
    bad_catalogue,  ///< the catalogue is malformed or clashes with another plugin's
    bad_config,     ///< its configuration breaks its schema
    refused,        ///< create or start failed; the text is the plugin's
    failed,         ///< a call failed; the text is the plugin's
    invalid_input,  ///< the plugin says the input is wrong
    unsupported,    ///< it does not offer this interface
    timeout,
    busy,  ///< in_flight_max reached; calls that do not return; not my turn to load
    draining,
    drain_timeout,  ///< calls still open at the deadline; the text counts them
};
std::error_code make_error_code(plugin_errc) noexcept;

struct plugin_settings {
    std::vector<std::filesystem::path> dirs;  ///< only files below these load
    monotonic::duration call_timeout = std::chrono::seconds{10};
    monotonic::duration drain_timeout = std::chrono::seconds{10};
    monotonic::duration start_timeout = std::chrono::seconds{10};
    monotonic::duration health_every = std::chrono::seconds{5};
    monotonic::duration health_timeout = std::chrono::seconds{2};
    std::uint32_t in_flight_max = 1'024;  ///< when the plugin names none
};

struct plugin_status {
    std::string name;         ///< file name without ".so": unique
    std::string id, version;  ///< the plugin's own
    std::string path;
    std::string state;  ///< "serving", "draining", "retired"
    std::vector<std::string> interfaces;
    std::vector<std::string> aggregates, commands, projections, read_models, queries;
    std::uint64_t calls = 0, failures = 0, in_flight = 0, overdue = 0, stale_completions = 0;
    telemetry::health health = telemetry::health::healthy;
    std::string last_error;
    unix_us loaded_at = 0;
};

class plugin_host {
public:
    struct wiring {
        bus::command_bus& commands;
        bus::query_bus& queries;
        domain::aggregate_runtime& aggregates;
        domain::projection_runner& projections;
        bus::change_counters& changes;
        runtime::executor& workers;
        runtime::timers& timers;
        telemetry::metrics& metrics;
        telemetry::health_registry& health;
    };
    plugin_host(plugin_settings, wiring);
    ~plugin_host();  ///< stops

    /// `config_json` empty: {}. All or nothing: a plugin that clashes leaves no trace.
    [[nodiscard]] result<plugin_status> load(const std::filesystem::path&,
                                             std::string_view config_json);
    [[nodiscard]] result<void> unload(std::string_view name);
    [[nodiscard]] std::vector<plugin_status> list() const;  ///< by name
    [[nodiscard]] result<plugin_status> status(std::string_view name) const;
    /// Asks the plugin itself, now.
    void health(std::string_view name,
                std::move_only_function<void(result<telemetry::health_report>)>);
    /// Runs its processor (bytes in, bytes out). `done` once, on any thread, quick.
    void execute(std::string_view name, const bus::caller&, std::string_view content_type,
                 std::string input, deadline,
                 std::move_only_function<void(result<std::string>)> done);
    /// Unloads all, last loaded first. They share one `drain_timeout`; each has at least a second.
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::plugin

template <>
struct std::is_error_code_enum<flexcore::plugin::plugin_errc> : std::true_type {};
