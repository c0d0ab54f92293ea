// The event log in memory, for unit tests of the modules above: the same promises but durability.
//
// Threads: as event_log; one mutex guards everything.
#pragma once

#include "store/event_log.hpp"
#include "store/log_writer_impl.hpp"

#include <memory>

namespace flexcore::store::memory {

[[nodiscard]] std::unique_ptr<event_log> open_log(const writer_limits&, telemetry::metrics&,
                                                  const log_writer::clock& = now_unix_us);

}  // namespace flexcore::store::memory
