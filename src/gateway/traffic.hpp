// traffic: what is counted and logged of each request.
//
// Threads: any, concurrently. Series are made when first needed, then found without a lock.
#pragma once

#include "gateway/exchange.hpp"
#include "gateway/router.hpp"
#include "telemetry/metrics.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace flexcore::gateway {

class traffic {
public:
    traffic(telemetry::metrics&, const router&, bool access_log);
    ~traffic();

    /// An answer has been handed to the socket, or a stream has ended.
    void answered(const exchange&, int status);

    telemetry::gauge& connections;
    telemetry::counter& refused;  ///< connections beyond the limit
    telemetry::counter& accept_failures;
    telemetry::counter& bad_framing;
    telemetry::counter& timeouts;

private:
    struct series {
        telemetry::counter* requests;
        telemetry::histogram* seconds;
    };
    static constexpr std::size_t classes = 6;  ///< 1xx to 5xx, and whatever else
    [[nodiscard]] const series& series_for(std::size_t route, int status);

    telemetry::metrics& metrics_;
    const bool access_log_;
    struct route_name {
        std::string_view pattern, method;
    };
    std::vector<route_name> routes_;  ///< the last one stands for requests without a route
    std::vector<std::array<std::atomic<const series*>, classes>> made_;
};

}  // namespace flexcore::gateway
