#include "plugin/behaviors/aggregate.hpp"

#include "base/json.hpp"
#include "bus/errc.hpp"
#include "plugin/calls/failure.hpp"

#include <fmt/format.h>

namespace flexcore::plugin {

std::shared_ptr<domain::aggregate_behavior> make_aggregate(std::shared_ptr<instance> of,
                                                           const aggregate_entry& entry) {
    return of->tables().aggregate_native != nullptr ? make_native_aggregate(std::move(of), entry)
                                                    : make_bytes_aggregate(std::move(of), entry);
}

result<domain::decision> decision_of(call_outcome&& outcome, std::string_view plugin) {
    if (outcome.failure) return fail(command_error(*outcome.failure, plugin));
    if (outcome.result.empty()) return std::move(outcome.decision);
    if (const auto valid = json::validate(outcome.result); !valid)
        return fail(bus::bus_errc::handler_failed, "the plugin failed; the server's log says why",
                    fmt::format("plugin {}: its result is not valid JSON: {}", plugin,
                                valid.error().client));
    outcome.decision.result = std::move(outcome.result);
    return std::move(outcome.decision);
}

}  // namespace flexcore::plugin
