// A server over the memory store on a free port, and a client that speaks bytes.
#pragma once

#include "bus/append_bus.hpp"
#include "bus/change_counters.hpp"
#include "bus/key_registry.hpp"
#include "gateway/server.hpp"
#include "runtime/io_pool.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker_pool.hpp"
#include "store/open.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::tests {

/// Everything below the gateway, and the gateway; stopped when it goes.
class server_house {
public:
    explicit server_house(gateway::http_settings = quick(), std::size_t io_threads = 2);
    ~server_house();

    /// Settings with short times, on any free port of 127.0.0.1.
    [[nodiscard]] static gateway::http_settings quick();
    [[nodiscard]] std::uint16_t port() const { return server->port(); }
    [[nodiscard]] gateway::http_services services();
    /// The value of a series in /metrics' text, 0 when there is none.
    [[nodiscard]] double metric(std::string_view name_and_labels) const;

    telemetry::metrics metrics;
    telemetry::health_registry health;
    runtime::timers timers;
    runtime::worker_pool workers{"work", 4};
    runtime::io_pool io;
    store::opened_store store;
    bus::allow_all authorizer;
    bus::key_registry keys;
    bus::change_counters changes;
    std::unique_ptr<bus::event_bus> events;
    std::unique_ptr<domain::projection_runner> projections;
    std::unique_ptr<bus::append_bus> appends;
    std::unique_ptr<bus::command_bus> commands;
    std::unique_ptr<bus::query_bus> queries;
    std::unique_ptr<domain::aggregate_runtime> aggregates;
    std::unique_ptr<plugin::plugin_host> plugins;
    std::unique_ptr<gateway::http_server> server;
};

struct answer {
    int status = 0;                                           ///< 0: the connection ended instead
    std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case
    std::string body;                                         ///< chunks put together
    bool complete = false;                                    ///< the body came to its end
    [[nodiscard]] std::string field(std::string_view lower_name) const;
    [[nodiscard]] boost::json::value json() const;
    [[nodiscard]] std::string code() const;  ///< the problem's
};

/// One connection. Every wait is bounded by `patience`.
class raw_client {
public:
    explicit raw_client(std::uint16_t port, int receive_buffer_bytes = 0);
    ~raw_client();
    raw_client(const raw_client&) = delete;
    raw_client& operator=(const raw_client&) = delete;

    void send(std::string_view);
    /// As much as goes without waiting; answers how much.
    std::size_t send_some(std::string_view);
    void shut_down_sending();
    /// Closes at once, as a client does that crashes: unread bytes become a reset.
    void reset();
    /// Waits for raw bytes of an answer's body and takes at most `most`; 0 when no more come.
    [[nodiscard]] std::size_t receive_bytes(std::size_t most);
    /// Waits for raw bytes and takes all that are there; empty when no more come.
    [[nodiscard]] std::string receive_raw();
    /// The next answer; `head_only` for HEAD.
    [[nodiscard]] answer receive(bool head_only = false);
    /// The head of an answer whose body flows on.
    [[nodiscard]] answer receive_head();
    /// What comes until `enough` says so, chunks put together.
    [[nodiscard]] std::string receive_until(const std::function<bool(const std::string&)>& enough);
    /// Whether the last chunked body came to its end mark.
    [[nodiscard]] bool saw_end() const noexcept { return last_chunk_; }
    /// Whether the server closes the connection without sending anything more.
    [[nodiscard]] bool closed();
    [[nodiscard]] answer request(std::string_view method, std::string_view target,
                                 std::string_view body = {}, std::string_view fields = {});
    [[nodiscard]] answer get(std::string_view target, std::string_view fields = {}) {
        return request("GET", target, {}, fields);
    }
    [[nodiscard]] answer post(std::string_view target, std::string_view json,
                              std::string_view fields = {});

    static constexpr std::chrono::seconds patience{20};

private:
    [[nodiscard]] bool read_more(std::size_t most = std::string::npos);
    [[nodiscard]] bool read_chunk(std::string& into);
    int fd_ = -1;
    std::string in_;
    bool last_chunk_ = false;
};

/// Waits until `holds`, at most raw_client::patience; answers whether it does.
[[nodiscard]] bool eventually(const std::function<bool()>& holds);

/// Every worker of a house is busy until `let_go`, or until this goes: reads wait. One thread's.
class held_workers {
public:
    explicit held_workers(server_house&);
    ~held_workers();
    held_workers(const held_workers&) = delete;
    held_workers& operator=(const held_workers&) = delete;
    void let_go();

private:
    std::shared_ptr<std::mutex> gate_ = std::make_shared<std::mutex>();  ///< workers let go last
    std::unique_lock<std::mutex> held_{*gate_};
};

}  // namespace flexcore::tests
