// resident: one plugin of the host's list: its instance, what is registered for it, how it is.
//
// Threads: any, but for what is marked "turn" (the host's turn of load and unload).
#pragma once

#include "base/clock.hpp"
#include "plugin/calls/instance.hpp"
#include "plugin/plugin_host.hpp"
#include "plugin/registration_impl.hpp"
#include "runtime/timers.hpp"
#include "telemetry/health.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace flexcore::plugin {

enum class phase : std::uint8_t { serving, draining, retired };

class resident {
public:
    resident(std::shared_ptr<instance>, plugin_host::wiring&, monotonic::duration health_every);

    const std::shared_ptr<instance> of;
    registration registered;  // turn
    bool drained = false;     // turn
    std::uint64_t order = 0;  // turn; later loads have higher ones

    [[nodiscard]] phase current() const;
    void enter(phase);
    /// The last answer of the plugin about its health, or calls that are overdue.
    [[nodiscard]] telemetry::health_report report() const;
    [[nodiscard]] plugin_status status() const;
    /// "plugin.orders"
    [[nodiscard]] std::string health_name() const { return "plugin." + of->name(); }

    /// Asks for the plugin's health again and again, the next time only after the answer. Ends
    /// with the service; needs nothing of the host, which may go first.
    static void watch_health(const std::shared_ptr<resident>&);

private:
    runtime::timers& timers_;
    const monotonic::duration health_every_;
    const unix_us loaded_at_;

    mutable std::mutex mutex_;
    phase now_ = phase::serving;
    telemetry::health_report health_;
};

}  // namespace flexcore::plugin
