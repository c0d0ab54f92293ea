// query_bus: from a query to its answer, by way of the cache.
//
// Pipeline: catalogue → schema → authorizer → min_position (bounded wait) → cache → handler.
// Cache:    key: tenant, query, parameters, what the query declares in varies_by; valid as long as
//           the change counters of the rows and models it read stand still. Bounded in bytes.
//           Parameters that differ only in white space or the order of their outermost members are
//           the same. Errors are not cached. Equal queries that wait for a worker run once.
// Away:     while the store cannot tell what other servers have changed, a cached answer is given
//           with its age for `stale_if_error` (as in RFC 5861), and not used beyond.
// Threads:  `ask` on any thread. A hit answers inside the call, without allocation or lock held;
//           otherwise the reply runs once on any thread, and must be quick.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "bus/caller.hpp"
#include "bus/change_counters.hpp"
#include "bus/errc.hpp"
#include "runtime/executor.hpp"
#include "runtime/timers.hpp"
#include "schema/schema.hpp"
#include "store/view_store.hpp"
#include "telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::bus {

struct query {
    std::string name;
    std::string params;  ///< a validated JSON object; empty means {}
    store::position min_position = 0;
    monotonic::duration wait = std::chrono::seconds{1};
    caller who;
    deadline until = no_deadline;
};

/// Immutable, shared by the cache and everybody it answers.
struct query_answer {
    std::string body;         ///< {"data":…,"position":n} or a row, ready to send
    std::string etag;         ///< over the data; weak, since the position beside it may differ
    store::position pos = 0;  ///< the last change the answer reflects
    /// Zero: it is as new as the read models. Else others may have changed them for so long.
    std::chrono::seconds age{};
};
using query_done = std::move_only_function<void(result<std::shared_ptr<const query_answer>>)>;

/// What a handler reads through; records what the answer depends on. Reads on the thread of
/// `handle`, before it returns, see one moment. A later read, or one on another thread, is refused
/// (busy) when what was read before has changed since; the bus then runs the handler again.
class query_views {
public:
    virtual ~query_views() = default;
    /// unknown_model for a model that the query does not declare in `reads`.
    [[nodiscard]] virtual result<std::optional<store::row>> get(std::string_view model,
                                                                std::string_view key) = 0;
    [[nodiscard]] virtual result<store::row_page> scan(std::string_view model,
                                                       const store::scan_query&) = 0;
};

/// Implemented by the plugin module.
class query_handler {
public:
    virtual ~query_handler() = default;
    /// Runs on the worker pool; `views` is valid until `done` was called; `done` runs once, on any
    /// thread, with raw JSON. Errors: bus_errc::not_found, handler_failed, deadline_exceeded, busy.
    virtual void handle(const query&, query_views& views,
                        std::move_only_function<void(result<std::string>)> done) = 0;
};

struct query_descriptor {
    std::string name;
    std::string plugin;
    std::string description;
    std::optional<schema> params_schema;
    std::vector<std::string> reads;  ///< read models; others are refused to the handler
    bool varies_by_principal = false;
    bool cache = true;
};

/// How far read models are; implemented by domain::projection_runner.
class read_model_progress {
public:
    virtual ~read_model_progress() = default;
    /// The lowest checkpoint among the projections that write these models.
    [[nodiscard]] virtual store::position reached(const std::vector<std::string>& models) const = 0;
    /// Runs `done(true)` when all have reached `pos`, `done(false)` at the deadline; once.
    virtual void when_reached(const std::vector<std::string>& models, store::position pos,
                              deadline until, std::move_only_function<void(bool)> done) = 0;
};

struct query_settings {
    monotonic::duration timeout = std::chrono::seconds{10};
    std::size_t cache_bytes_max = 64u << 20;
    monotonic::duration stale_if_error = std::chrono::minutes{1};
    std::size_t in_flight_max = 10'000;
};

class query_bus {
public:
    query_bus(query_settings, store::view_store&, read_model_progress&, change_counters&,
              const authorizer&, runtime::executor& workers, runtime::timers&, telemetry::metrics&);
    ~query_bus();

    [[nodiscard]] result<void> add(query_descriptor, std::shared_ptr<query_handler>);
    void remove(std::string_view name);
    [[nodiscard]] std::vector<query_descriptor> catalogue() const;  ///< by name
    /// Errors: bus_errc::unknown_query, with the nearest name.
    [[nodiscard]] result<query_descriptor> find(std::string_view name) const;

    void ask(query, query_done);

    /// One row of a read model by its key, by way of the cache. A point read on the calling thread;
    /// who may ask, and how far the model is, has been seen to. `body_of` forms the answer's body.
    /// Errors: not_found, those of the store.
    using row_body = std::string (*)(const store::row&);
    [[nodiscard]] result<std::shared_ptr<const query_answer>> row(std::string_view tenant,
                                                                  std::string_view model,
                                                                  std::string_view key,
                                                                  row_body body_of);
    /// The same as far as the cache has it; null when it has not. Reads nothing.
    [[nodiscard]] std::shared_ptr<const query_answer> row_in_cache(std::string_view tenant,
                                                                   std::string_view model,
                                                                   std::string_view key);

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace flexcore::bus
