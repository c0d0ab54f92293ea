// The log in PostgreSQL: see event_log.hpp for what is promised.
#pragma once

#include "store/event_log.hpp"
#include "store/log_writer_impl.hpp"
#include "store/postgres/sessions.hpp"
#include "store/postgres/standing.hpp"
#include "telemetry/health.hpp"

#include <memory>

namespace flexcore::store::postgres {

struct event_log_settings {
    connection_settings writing;
    std::shared_ptr<sessions> readers;
    std::shared_ptr<standing> known;
    writer_limits limits;
    log_writer::clock clock = now_unix_us;
};

/// The schema is migrated already. Starts the writer.
[[nodiscard]] result<std::unique_ptr<event_log>> open_log(const event_log_settings&,
                                                          telemetry::metrics&,
                                                          telemetry::health_registry&);

}  // namespace flexcore::store::postgres
