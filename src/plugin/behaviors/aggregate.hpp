// The aggregates of a plugin as behaviors of the domain, in the two forms of the ABI.
//
// native: the plugin holds a state object; load, evolve and snapshot are plain functions.
// bytes:  the host holds the state as bytes; decide and evolve are handlers. evolve blocks its
//         thread until it is completed.
// Threads and lifetimes: aggregate_behavior. A state that an overdue decision still uses is not
//         used again: it answers busy until the plugin has let go of it.
#pragma once

#include "domain/aggregate_behavior.hpp"
#include "plugin/calls/instance.hpp"

#include <memory>

namespace flexcore::plugin {

/// `entry` belongs to the instance's catalogue.
[[nodiscard]] std::shared_ptr<domain::aggregate_behavior> make_aggregate(
    std::shared_ptr<instance>, const aggregate_entry& entry);

/// Shared by both forms: what the decision came to, for the domain.
[[nodiscard]] result<domain::decision> decision_of(call_outcome&&, std::string_view plugin);

/// The two forms, for make_aggregate.
[[nodiscard]] std::shared_ptr<domain::aggregate_behavior> make_native_aggregate(
    std::shared_ptr<instance>, const aggregate_entry&);
[[nodiscard]] std::shared_ptr<domain::aggregate_behavior> make_bytes_aggregate(
    std::shared_ptr<instance>, const aggregate_entry&);

}  // namespace flexcore::plugin
