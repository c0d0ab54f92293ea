// A projection of a plugin as a behavior of the domain. Runs on workers, so that a handler that
// hangs does not hold up the projector; batches larger than the plugin takes are cut.
#pragma once

#include "domain/projection_behavior.hpp"
#include "plugin/calls/instance.hpp"

#include <memory>

namespace flexcore::plugin {

/// `entry` belongs to the instance's catalogue.
[[nodiscard]] std::shared_ptr<domain::projection_behavior> make_projection(
    std::shared_ptr<instance>, const projection_entry& entry);

}  // namespace flexcore::plugin
