// registration: what one plugin brings, wired into buses and domain; all or nothing.
//
// Order:   in: projections, aggregates, queries, commands (nobody can ask before all is there);
//          out: the other way round.
// Threads: one at a time (the host's turn).
#pragma once

#include "plugin/calls/instance.hpp"
#include "plugin/plugin_host.hpp"

#include <memory>
#include <string>
#include <vector>

namespace flexcore::plugin {

class registration {
public:
    explicit registration(plugin_host::wiring& to);
    ~registration();

    /// Errors: bad_catalogue, naming what clashes; then nothing is registered.
    [[nodiscard]] result<void> add(const std::shared_ptr<instance>&);
    /// Begins to take everything out. Again: nothing more.
    void remove();
    /// After `remove`: lanes idle, cached states released, projections stopped.
    [[nodiscard]] bool wait_removed(deadline until) const;

private:
    struct outstanding;
    [[nodiscard]] result<void> add_projection(const std::shared_ptr<instance>&,
                                              const projection_entry&);
    [[nodiscard]] result<void> add_aggregate(const std::shared_ptr<instance>&,
                                             const aggregate_entry&);
    [[nodiscard]] result<void> add_query(const std::shared_ptr<instance>&, const query_entry&);
    [[nodiscard]] result<void> add_command(const std::shared_ptr<instance>&, const aggregate_entry&,
                                           const command_entry&);
    [[nodiscard]] result<void> add_all(const std::shared_ptr<instance>&);

    plugin_host::wiring& to_;
    std::vector<std::string> projections_, aggregates_, queries_, commands_;
    std::shared_ptr<outstanding> outstanding_;
};

}  // namespace flexcore::plugin
