#include "plugin/calls/metrics_service.hpp"

#include "base/names.hpp"
#include "plugin/calls/message.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace flexcore::plugin {
namespace {

constexpr std::size_t name_max = 64;
constexpr std::size_t help_max = 256;
constexpr std::size_t label_value_max = 128;

/// What the host itself counts about plugins.
constexpr std::array<std::string_view, 6> of_the_host{
    "flexcore_plugin_calls_total", "flexcore_plugin_failures_total",
    "flexcore_plugin_in_flight",   "flexcore_plugin_overdue",
    "flexcore_plugin_retired",     "flexcore_plugin_stale_completions_total"};
/// The series that Prometheus makes of one histogram.
constexpr std::array<std::string_view, 3> of_a_histogram{"_bucket", "_count", "_sum"};

bool is_metric_name(std::string_view text) {
    return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
           std::ranges::all_of(text, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_';
           });
}

/// Prometheus names know neither '-' nor '.'.
std::string as_metric_name(std::string_view plugin) {
    std::string name{plugin};
    for (char& c : name)
        if (!is_metric_name(std::string_view{&c, 1}) && !(c >= '0' && c <= '9')) c = '_';
    return name;
}

const std::vector<double>& bounds_for(std::string_view unit) {
    static const std::vector<double> decades{1,   2,   5,   10,  20,  50,  100, 200, 500,
                                             1e3, 2e3, 5e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    return unit == "seconds" ? telemetry::latency_bounds() : decades;
}

/// Nothing when a label breaks a rule.
std::optional<telemetry::labels> labels_of(const std::string& plugin, const fxc_field* fields,
                                           std::size_t count) {
    if (count > metrics_service::labels_max || (count > 0 && fields == nullptr))
        return std::nullopt;
    telemetry::labels labels;
    for (std::size_t i = 0; i < count; ++i) {
        const auto key = text_of(fields[i].key, name_max);
        const auto value = text_of(fields[i].value, label_value_max);
        // "le" is the histogram's own, names with two underscores Prometheus' own.
        if (!key || !value || !is_metric_name(*key) || key->starts_with("__") || *key == "le" ||
            *key == "plugin" || !is_utf8(*value))
            return std::nullopt;
        if (!labels.emplace(*key, *value).second) return std::nullopt;
    }
    labels.emplace("plugin", plugin);
    return labels;
}

}  // namespace

bool metric_names::is_taken(const std::string& name, std::int32_t kind) const {
    // A plugin called "calls" with a counter "total" would end up here.
    if (std::ranges::find(of_the_host, name) != of_the_host.end()) return true;
    for (const std::string_view suffix : of_a_histogram) {
        if (kind == FXC_HISTOGRAM && names_.contains(name + std::string{suffix})) return true;
        if (!name.ends_with(suffix)) continue;
        const auto base = names_.find(name.substr(0, name.size() - suffix.size()));
        if (base != names_.end() && base->second.kind == FXC_HISTOGRAM) return true;
    }
    return false;
}

std::optional<std::string> metric_names::claim(const std::string& name, std::int32_t kind,
                                               std::string_view unit, std::string_view help) {
    const std::lock_guard lock{mutex_};
    if (is_taken(name, kind)) return std::nullopt;
    const auto [at, fresh] =
        names_.try_emplace(name, claimed{kind, std::string{unit}, std::string{help}});
    if (!fresh && (at->second.kind != kind || at->second.unit != unit)) return std::nullopt;
    return at->second.help;
}

metrics_service::metrics_service(std::string plugin, telemetry::metrics& registry,
                                 metric_names& names)
    : plugin_{std::move(plugin)}, registry_{registry}, names_{names} {}

std::uint64_t metrics_service::define(std::int32_t kind, fxc_view raw_name, fxc_view raw_unit,
                                      fxc_view raw_help) {
    const auto name = text_of(raw_name, name_max);
    const auto unit = text_of(raw_unit, name_max);
    const auto help = text_of(raw_help, help_max);
    if (!name || !unit || !help || !is_metric_name(*name) ||
        (!unit->empty() && !is_metric_name(*unit)) || !is_utf8(*help) ||
        (kind != FXC_COUNTER && kind != FXC_GAUGE && kind != FXC_HISTOGRAM))
        return 0;
    metric made;
    made.kind = kind;
    made.unit = *unit;
    made.name = fmt::format("flexcore_plugin_{}_{}", as_metric_name(plugin_), *name);
    if (!unit->empty() && !made.name.ends_with(fmt::format("_{}", *unit)))
        made.name += fmt::format("_{}", *unit);
    if (kind == FXC_COUNTER && !made.name.ends_with("_total")) made.name += "_total";

    const std::lock_guard lock{mutex_};
    if (stopped_) return 0;
    for (std::size_t i = 0; i < metrics_.size(); ++i)
        if (metrics_[i].name == made.name) return metrics_[i].kind == kind ? i + 1 : 0;
    if (metrics_.size() >= series_max) return 0;
    auto claimed = names_.claim(made.name, kind, *unit, help->empty() ? *name : *help);
    if (!claimed) return 0;
    made.help = *std::move(claimed);
    metrics_.push_back(std::move(made));
    return metrics_.size();
}

metrics_service::series metrics_service::make(const metric& of, const telemetry::labels& labels) {
    series made;
    switch (of.kind) {
        case FXC_COUNTER:
            made.counter = &registry_.counter_for(of.name, of.help, labels);
            break;
        case FXC_GAUGE:
            made.gauge = &registry_.gauge_for(of.name, of.help, labels);
            break;
        default:
            made.histogram =
                &registry_.histogram_for(of.name, of.help, bounds_for(of.unit), labels);
            break;
    }
    return made;
}

void metrics_service::record(std::uint64_t number, double value, const fxc_field* fields,
                             std::size_t count) {
    if (!std::isfinite(value)) return;
    const auto labels = labels_of(plugin_, fields, count);
    if (!labels) return;
    const std::lock_guard lock{mutex_};
    if (stopped_ || number == 0 || number > metrics_.size()) return;
    metric& of = metrics_[number - 1];
    auto at = of.by_labels.find(*labels);
    if (at == of.by_labels.end()) {
        if (series_ >= series_max) {
            if (!std::exchange(complained_, true))
                telemetry::log(
                    telemetry::level::warn, "plugin",
                    "a plugin records more series than allowed; further ones are dropped",
                    {{"plugin", plugin_}, {"metric", of.name}});
            return;
        }
        ++series_;
        at = of.by_labels.emplace(*labels, make(of, *labels)).first;
    }
    if (at->second.counter != nullptr && value >= 0) at->second.counter->add(value);
    if (at->second.gauge != nullptr) at->second.gauge->set(value);
    if (at->second.histogram != nullptr) at->second.histogram->observe(value);
}

void metrics_service::stop() {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
}

}  // namespace flexcore::plugin
