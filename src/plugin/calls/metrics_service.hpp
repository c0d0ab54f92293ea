// metrics_service: the series of one plugin, "flexcore_plugin_<name>_<metric>".
//
// Bounds:  100 series per plugin (each combination of labels is one); what goes beyond is dropped
//          and logged once.
// Threads: any. After `stop` nothing is recorded and the registry is not touched.
#pragma once

#include "flexcore/plugin_abi.h"
#include "telemetry/metrics.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

/// Who has which name, over all plugins and generations: the registry would end the process over a
/// name that is used with two kinds or helps. Threads: any.
class metric_names {
public:
    /// The help the name was first defined with; nothing when it has another kind, or when it is
    /// the host's own or that of a series of a histogram.
    [[nodiscard]] std::optional<std::string> claim(const std::string& name, std::int32_t kind,
                                                   std::string_view unit, std::string_view help);

private:
    struct claimed {
        std::int32_t kind;
        std::string unit;
        std::string help;
    };
    [[nodiscard]] bool is_taken(const std::string& name, std::int32_t kind) const;

    std::mutex mutex_;
    std::map<std::string, claimed> names_;
};

class metrics_service {
public:
    static constexpr std::size_t series_max = 100;
    static constexpr std::size_t labels_max = 8;

    metrics_service(std::string plugin, telemetry::metrics&, metric_names&);

    /// 0: refused (a bad name or kind, a name in use with another kind, too many).
    [[nodiscard]] std::uint64_t define(std::int32_t kind, fxc_view name, fxc_view unit,
                                       fxc_view help);
    void record(std::uint64_t metric, double value, const fxc_field* fields, std::size_t count);
    void stop();

private:
    struct series {
        telemetry::counter* counter = nullptr;
        telemetry::gauge* gauge = nullptr;
        telemetry::histogram* histogram = nullptr;
    };
    struct metric {
        std::string name;
        std::string help;
        std::string unit;
        std::int32_t kind = FXC_COUNTER;
        std::map<telemetry::labels, series> by_labels;
    };
    [[nodiscard]] series make(const metric&, const telemetry::labels&);

    const std::string plugin_;
    telemetry::metrics& registry_;
    metric_names& names_;
    std::mutex mutex_;
    std::vector<metric> metrics_;
    std::size_t series_ = 0;
    bool stopped_ = false;
    bool complained_ = false;
};

}  // namespace flexcore::plugin
