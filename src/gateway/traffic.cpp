#include "gateway/traffic.hpp"

#include "telemetry/log.hpp"

namespace flexcore::gateway {

traffic::traffic(telemetry::metrics& metrics, const router& table, bool access_log)
    : connections{metrics.gauge_for("flexcore_http_connections", "Open HTTP connections")},
      refused{metrics.counter_for("flexcore_http_connections_refused_total",
                                  "HTTP connections refused at the limit")},
      accept_failures{metrics.counter_for("flexcore_http_accept_failures_total",
                                          "Attempts to accept a connection that found no "
                                          "descriptor or memory")},
      bad_framing{metrics.counter_for("flexcore_http_bad_framing_total",
                                      "Connections ended because a request broke HTTP framing")},
      timeouts{metrics.counter_for("flexcore_http_timeouts_total",
                                   "Connections ended because the client was too slow")},
      metrics_{metrics},
      access_log_{access_log},
      made_(table.all().size() + 1) {
    for (const auto& one : table.all()) routes_.push_back({one->pattern, name_of(one->method)});
    routes_.push_back({"none", "other"});
}

traffic::~traffic() {
    for (auto& route : made_)
        for (auto& one : route) delete one.load();
}

const traffic::series& traffic::series_for(std::size_t route, int status) {
    const auto kind = static_cast<std::size_t>(status / 100 - 1);
    std::atomic<const series*>& slot = made_[route][std::min(kind, classes - 1)];
    if (const series* there = slot.load(std::memory_order_acquire)) return *there;
    const telemetry::labels labels{{"route", std::string{routes_[route].pattern}},
                                   {"method", std::string{routes_[route].method}},
                                   {"status", std::to_string(status / 100) + "xx"}};
    auto fresh = std::make_unique<const series>(series{
        &metrics_.counter_for("flexcore_http_requests_total", "HTTP requests answered", labels),
        &metrics_.histogram_for("flexcore_http_request_seconds",
                                "From a request's head to its answer's last byte handed over",
                                telemetry::latency_bounds(), labels)});
    const series* expected = nullptr;
    if (slot.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
        return *fresh.release();
    return *expected;
}

void traffic::answered(const exchange& done, int status) {
    const request& asked = done.req;
    const std::size_t route = asked.at ? asked.at->to->index : made_.size() - 1;
    const auto took = monotonic::now() - asked.received;
    const series& to = series_for(route, status);
    to.requests->add();
    to.seconds->observe(std::chrono::duration<double>(took).count());

    if (!access_log_ || !telemetry::log_enabled(telemetry::level::info)) return;
    const std::string_view target = asked.target;
    telemetry::log(telemetry::level::info, "gateway", "request",
                   {{"method", name_of(asked.method)},
                    {"path", target.substr(0, target.find('?'))},
                    {"status", static_cast<std::int64_t>(status)},
                    {"duration_us", static_cast<std::int64_t>(took / std::chrono::microseconds{1})},
                    {"bytes", done.bytes_sent},
                    {"request_id", std::string_view{asked.who.request_id}},
                    {"trace_id", asked.trace_id()},
                    {"tenant", std::string_view{asked.who.tenant}}});
}

}  // namespace flexcore::gateway
