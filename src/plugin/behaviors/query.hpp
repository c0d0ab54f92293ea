// A query of a plugin as a handler of the query bus. The result must be valid JSON; it goes on as
// the bytes that came.
#pragma once

#include "bus/query_bus.hpp"
#include "plugin/calls/instance.hpp"

#include <memory>

namespace flexcore::plugin {

/// `entry` belongs to the instance's catalogue.
[[nodiscard]] std::shared_ptr<bus::query_handler> make_query(std::shared_ptr<instance>,
                                                             const query_entry& entry);

}  // namespace flexcore::plugin
