// snapshot_store: folded states of aggregates, so that loading one need not read all its events.
//
// Derived: any snapshot may be lost, and no answer ever depends on one. So nothing here is an
//          error: what cannot be read is not there, what cannot be written is not kept.
// Verified: what `find` gives back is what was put. That it fits the log is for its user to see,
//          by the event it names.
// Threads: any; blocking for as long as the disk takes.
#pragma once

#include "store/event.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace flexcore::store {

struct snapshot {
    version ver = 0;  ///< of the last event folded
    uuid event_id;    ///< of that event
    std::string state;
};

class snapshot_store {
public:
    virtual ~snapshot_store() = default;

    /// Of this version of the reducer; one of another is passed over.
    [[nodiscard]] virtual std::optional<snapshot> find(std::string_view tenant,
                                                       std::string_view stream,
                                                       std::uint32_t reducer) = 0;
    /// Replaces the stream's snapshots of this and of lower reducer versions.
    virtual void put(std::string_view tenant, std::string_view stream, std::uint32_t reducer,
                     const snapshot&) = 0;
    virtual void drop(std::string_view tenant, std::string_view stream) = 0;
    virtual void stop() = 0;
};

}  // namespace flexcore::store
