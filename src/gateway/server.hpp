// http_server: the HTTP API of the server. Contract: src/gateway/README.md.
//
// Shape:    one listening socket per io thread (SO_REUSEPORT) after one exclusive bind has shown
// that
//           nobody else has the port; each connection lives on its io thread from accept to close.
// Threads:  public functions on any thread.
// Life:     start → begin_drain (readyz 503, connections still taken) → stop (waits, bounded).
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/append_bus.hpp"
#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "bus/query_bus.hpp"
#include "domain/projection_runner.hpp"
#include "plugin/plugin_host.hpp"
#include "runtime/executor.hpp"
#include "runtime/timers.hpp"
#include "store/open.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flexcore::runtime {
class io_pool;
}

namespace flexcore::gateway {

struct http_settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8080;  ///< 0: any free one, see http_server::port()
    std::size_t body_bytes_max = 4u << 20;
    std::size_t json_depth_max = 64;
    std::size_t header_bytes_max = 16u << 10;
    std::size_t connections_max = 10'000;
    std::size_t pipeline_max = 64;            ///< requests of one connection at work at once
    std::size_t output_bytes_max = 8u << 20;  ///< unsent bytes of one connection
    std::size_t held_bytes_max = 256u << 20;  ///< bodies and unsent answers of all connections
    monotonic::duration header_timeout = std::chrono::seconds{10};
    monotonic::duration body_timeout = std::chrono::seconds{30};  ///< without any progress
    monotonic::duration idle_timeout = std::chrono::seconds{60};
    monotonic::duration write_timeout = std::chrono::seconds{30};  ///< without any progress
    std::size_t compression_bytes_min = 4096;  ///< of an answer; 0: none is compressed
    monotonic::duration socket_idle_timeout = std::chrono::seconds{60};  ///< of a WebSocket
    /// Pages of these origins may ask from a browser; settings see to it that they are origins.
    std::vector<std::string> cors_origins;
    monotonic::duration drain = std::chrono::milliseconds{500};  ///< connections still taken
    monotonic::duration stop_max = std::chrono::seconds{30};
    bool plugin_loading = true;  ///< by HTTP; only effective on loopback
    bool access_log = true;
};

/// What the routes call; everything outlives the server.
struct http_services {
    store::event_log& log;
    store::view_store& views;
    bus::append_bus& appends;
    bus::command_bus& commands;
    bus::query_bus& queries;
    bus::event_bus& events;
    domain::projection_runner& projections;
    plugin::plugin_host& plugins;
    const bus::authorizer& authorizer;
    bus::key_registry& keys;
    runtime::io_pool& io;
    runtime::executor& workers;
    runtime::timers& timers;
    telemetry::metrics& metrics;
    telemetry::health_registry& health;
    std::string version;     ///< of this program
    bool store_far = false;  ///< store::opened_store::far
};

class http_server {
public:
    http_server(http_settings, http_services);
    ~http_server();

    /// Errors: base_errc::io, naming address and cause ("port 8080 is taken").
    [[nodiscard]] result<void> start();
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// `/readyz` turns 503; connections are taken for `drain` more.
    void begin_drain();
    /// Drains, finishes running requests, closes what is left at stop_max.
    void stop();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace flexcore::gateway
