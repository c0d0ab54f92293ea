#include "telemetry/metrics.hpp"

#include "base/check.hpp"

#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <mutex>
#include <sstream>
#include <utility>
#include <variant>

namespace flexcore::telemetry {
namespace {

class prometheus_counter final : public counter {
public:
    explicit prometheus_counter(prometheus::Counter& c) : series_{c} {}
    void add(double amount) noexcept override { series_.Increment(amount); }
    [[nodiscard]] double value() const noexcept override { return series_.Value(); }

private:
    prometheus::Counter& series_;
};

class prometheus_gauge final : public gauge {
public:
    explicit prometheus_gauge(prometheus::Gauge& g) : series_{g} {}
    void set(double value) noexcept override { series_.Set(value); }
    void add(double amount) noexcept override { series_.Increment(amount); }
    [[nodiscard]] double value() const noexcept override { return series_.Value(); }

private:
    prometheus::Gauge& series_;
};

class prometheus_histogram final : public histogram {
public:
    explicit prometheus_histogram(prometheus::Histogram& h) : series_{h} {}
    void observe(double value) noexcept override { series_.Observe(value); }

private:
    prometheus::Histogram& series_;
};

/// All series of one name. `Port` is what callers hold, `Own` implements it over `Theirs`.
template <class Port, class Own, class Theirs>
struct family_of {
    prometheus::Family<Theirs>& family;
    std::map<labels, std::unique_ptr<Own>> series;

    template <class... Args>
    Port& get(const labels& l, const Args&... args) {
        std::unique_ptr<Own>& place = series[l];
        if (!place) place = std::make_unique<Own>(family.Add({l.begin(), l.end()}, args...));
        return *place;
    }
};
using counters = family_of<counter, prometheus_counter, prometheus::Counter>;
using gauges = family_of<gauge, prometheus_gauge, prometheus::Gauge>;
using histograms = family_of<histogram, prometheus_histogram, prometheus::Histogram>;
using readers = std::map<labels, std::function<double()>>;

struct named_family {
    std::string help;
    std::variant<counters, gauges, histograms, readers> kind;
};

void check_labels(const labels& l) {
    for (const auto& [name, value] : l) FLEXCORE_CHECK(prometheus::CheckLabelName(name));
}

prometheus::ClientMetric read_gauge(const labels& l, const std::function<double()>& read) {
    prometheus::ClientMetric metric;
    for (const auto& [name, value] : l) metric.label.push_back({name, value});
    metric.gauge.value = read();
    return metric;
}

}  // namespace

struct metrics::state {
    std::mutex mutex;
    prometheus::Registry registry;
    std::map<std::string, named_family, std::less<>> families;

    /// The family of that name, made by `make` when it is new. The mutex must be held.
    template <class Kind, class Make>
    Kind& family(std::string_view name, std::string_view help, const labels& l, Make make) {
        check_labels(l);
        auto found = families.find(name);
        if (found == families.end()) {
            const std::string n{name};
            const std::string h{help};
            FLEXCORE_CHECK(prometheus::CheckMetricName(n));
            found = families.emplace(n, named_family{h, make(n, h)}).first;
        }
        FLEXCORE_CHECK(found->second.help == help);
        FLEXCORE_CHECK(std::holds_alternative<Kind>(found->second.kind));
        return std::get<Kind>(found->second.kind);
    }
};

metrics::metrics() : state_{std::make_unique<state>()} {}
metrics::~metrics() = default;

counter& metrics::counter_for(std::string_view name, std::string_view help, const labels& l) {
    const std::lock_guard lock{state_->mutex};
    const auto make = [this](const std::string& n, const std::string& h) {
        return counters{prometheus::BuildCounter().Name(n).Help(h).Register(state_->registry), {}};
    };
    return state_->family<counters>(name, help, l, make).get(l);
}

gauge& metrics::gauge_for(std::string_view name, std::string_view help, const labels& l) {
    const std::lock_guard lock{state_->mutex};
    const auto make = [this](const std::string& n, const std::string& h) {
        return gauges{prometheus::BuildGauge().Name(n).Help(h).Register(state_->registry), {}};
    };
    return state_->family<gauges>(name, help, l, make).get(l);
}

histogram& metrics::histogram_for(std::string_view name, std::string_view help,
                                  const std::vector<double>& bounds, const labels& l) {
    FLEXCORE_CHECK(std::ranges::is_sorted(bounds));
    const std::lock_guard lock{state_->mutex};
    const auto make = [this](const std::string& n, const std::string& h) {
        return histograms{prometheus::BuildHistogram().Name(n).Help(h).Register(state_->registry),
                          {}};
    };
    return state_->family<histograms>(name, help, l, make).get(l, bounds);
}

void metrics::gauge_from(std::string_view name, std::string_view help, const labels& l,
                         std::function<double()> read) {
    const std::lock_guard lock{state_->mutex};
    const auto make = [](const std::string&, const std::string&) { return readers{}; };
    state_->family<readers>(name, help, l, make).insert_or_assign(l, std::move(read));
}

std::string metrics::text() const {
    std::vector<prometheus::MetricFamily> all = state_->registry.Collect();
    struct pending {
        std::string name;
        std::string help;
        readers read;
    };
    std::vector<pending> to_read;
    {
        const std::lock_guard lock{state_->mutex};
        for (const auto& [name, family] : state_->families)
            if (const auto* read = std::get_if<readers>(&family.kind))
                to_read.push_back({name, family.help, *read});
    }
    // Outside the lock: a reader may look up a series of its own.
    for (const pending& p : to_read) {
        prometheus::MetricFamily family{p.name, p.help, prometheus::MetricType::Gauge, {}};
        for (const auto& [l, read] : p.read) family.metric.push_back(read_gauge(l, read));
        all.push_back(std::move(family));
    }
    std::ostringstream out;
    prometheus::TextSerializer{}.Serialize(out, all);
    return std::move(out).str();
}

const std::vector<double>& latency_bounds() {
    static const std::vector<double> bounds{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3,
                                            5e-3,  10e-3,  25e-3,  50e-3,  0.1,  0.25,
                                            0.5,   1,      2.5,    5,      10};
    return bounds;
}

}  // namespace flexcore::telemetry
