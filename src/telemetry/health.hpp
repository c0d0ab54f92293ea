// Health registry: each part says how it is, `/healthz` and `/readyz` read it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace flexcore::telemetry {

enum class health : std::uint8_t { healthy, degraded, unhealthy };

struct health_report {
    health state = health::healthy;
    std::string text;  ///< why, for a person; empty when healthy
};
struct named_health {
    std::string name;  ///< "store", "projection.orders", "plugin.orders"
    health_report report;
    bool needed_for_ready;  ///< unhealthy here means /readyz answers 503
};

class health_registry {
public:
    health_registry();
    ~health_registry();
    using check = std::function<health_report()>;  ///< quick, thread-safe, asks nobody
    /// [any thread] A name already there is replaced.
    void add(std::string name, bool needed_for_ready, check);
    /// [any thread] Once it has returned, the check runs no more.
    void remove(const std::string& name);
    [[nodiscard]] std::vector<named_health> all() const;  ///< sorted by name

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::telemetry
