// A projection of a plugin as a behavior of the domain.
//
// Threads: the handler runs on the thread that applies, the projector's, where the rows live: from
//          another thread each row would cost two changes of thread. When another call is inside a
//          plugin that is not reentrant, it waits a moment, then goes to a worker after all.
#pragma once

#include "domain/projection_behavior.hpp"
#include "plugin/calls/instance.hpp"

#include <memory>

namespace flexcore::plugin {

/// `entry` belongs to the instance's catalogue.
[[nodiscard]] std::shared_ptr<domain::projection_behavior> make_projection(
    std::shared_ptr<instance>, const projection_entry& entry);

}  // namespace flexcore::plugin
