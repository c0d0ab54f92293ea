#include "store/open.hpp"

#include "store/memory/memory_log.hpp"
#include "store/memory/memory_views.hpp"

#include <fmt/format.h>

namespace flexcore::store {
namespace {

writer_limits limits_of(const store_settings& settings) {
    return {.queue_events_max = settings.queue_events_max,
            .queue_bytes_max = settings.queue_bytes_max,
            .batch_events_max = settings.batch_events_max,
            .batch_bytes_max = settings.batch_bytes_max};
}

}  // namespace

result<opened_store> open_store(const store_settings& settings, telemetry::metrics& metrics,
                                telemetry::health_registry&) {
    if (settings.url == "memory:") {
        return opened_store{.log = memory::open_log(limits_of(settings), metrics),
                            .views = memory::open_views(),
                            .description = "memory, nothing is kept"};
    }
    return fail(base_errc::invalid_argument,
                fmt::format("store URL \"{}\" is not known; \"sqlite:\" is", settings.url));
}

}  // namespace flexcore::store
