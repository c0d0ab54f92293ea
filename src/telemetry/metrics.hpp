// Metrics: named series, printed in the Prometheus text format. prometheus-cpp does the work;
// this header keeps it out of everybody's includes.
//
// Threads:  everything may be called on any thread. Look a series up once, keep the reference
//           (valid as long as the registry), record through it.
// Naming:   "flexcore_<what>_<unit>"; counters end in "_total"; seconds and bytes are the units.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::telemetry {

using labels = std::map<std::string, std::string>;

class counter {
public:
    virtual ~counter() = default;
    virtual void add(double amount = 1) noexcept = 0;
    [[nodiscard]] virtual double value() const noexcept = 0;
};
class gauge {
public:
    virtual ~gauge() = default;
    virtual void set(double value) noexcept = 0;
    virtual void add(double amount) noexcept = 0;
    [[nodiscard]] virtual double value() const noexcept = 0;
};
class histogram {
public:
    virtual ~histogram() = default;
    virtual void observe(double value) noexcept = 0;
};

class metrics {
public:
    metrics();
    ~metrics();
    metrics(const metrics&) = delete;
    metrics& operator=(const metrics&) = delete;

    /// The same name and labels give the same series. A name already used with another kind or
    /// help is a defect (FLEXCORE_CHECK).
    counter& counter_for(std::string_view name, std::string_view help, const labels& = {});
    gauge& gauge_for(std::string_view name, std::string_view help, const labels& = {});
    histogram& histogram_for(std::string_view name, std::string_view help,
                             const std::vector<double>& bounds, const labels& = {});
    /// Read when scraped, on the scraping thread: `read` must be quick and thread-safe and
    /// outlive the registry's last scrape. The same name and labels again replace the reader.
    void gauge_from(std::string_view name, std::string_view help, const labels&,
                    std::function<double()> read);

    /// Prometheus text format 0.0.4.
    [[nodiscard]] std::string text() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Bounds in seconds for latencies, 50 µs to 10 s.
[[nodiscard]] const std::vector<double>& latency_bounds();

}  // namespace flexcore::telemetry
