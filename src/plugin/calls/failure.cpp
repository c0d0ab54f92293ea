#include "plugin/calls/failure.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "bus/errc.hpp"
#include "domain/errc.hpp"
#include "plugin/plugin_host.hpp"

#include <fmt/format.h>

namespace flexcore::plugin {
namespace {

/// The plugin's problem document, when it is a JSON object.
std::shared_ptr<const boost::json::object> problem_of(const call_failure& failure) {
    if (failure.problem_json.empty()) return nullptr;
    auto value = json::to_value(failure.problem_json);
    if (!value || !value->is_object()) return nullptr;
    return std::make_shared<const boost::json::object>(std::move(value->as_object()));
}

error make(std::error_code code, std::string client, std::string log,
           std::shared_ptr<const boost::json::object> members = nullptr) {
    error made{code, std::move(client), std::move(log)};
    made.members = std::move(members);
    return made;
}

std::string log_text(const call_failure& failure, std::string_view plugin) {
    return fmt::format("plugin {}: {}", plugin, failure_text(failure));
}

error rejection(const call_failure& failure, std::string_view plugin) {
    auto members = problem_of(failure);
    const boost::json::value* const reason = members ? members->if_contains("reason") : nullptr;
    if (reason == nullptr || !reason->is_string() || !is_name(reason->as_string()))
        return make(bus::bus_errc::handler_failed, "the plugin failed; the server's log says why",
                    log_text(failure, plugin) +
                        " (FXC_REJECTED without a valid \"reason\" in its problem document)");
    std::string client =
        failure.message.empty() ? std::string{reason->as_string()} : failure.message;
    return make(bus::bus_errc::command_rejected, std::move(client), {}, std::move(members));
}

/// What command and query have in common.
error bus_error(const call_failure& failure, std::string_view name) {
    using enum call_failure::origin;
    if (failure.from == deadline)
        return make(bus::bus_errc::deadline_exceeded, "the plugin did not answer in time",
                    log_text(failure, name));
    if (failure.from == host) return failure.cause;
    if (failure.from == plugin) {
        switch (failure.status) {
            case FXC_INVALID:
                return make(bus::bus_errc::validation_failed,
                            failure.message.empty() ? "the plugin says the input is wrong"
                                                    : failure.message,
                            {}, problem_of(failure));
            case FXC_BUSY:
                return make(bus::bus_errc::busy, "the plugin is busy, try again",
                            log_text(failure, name));
            case FXC_UNAVAILABLE:
                return make(bus::bus_errc::unavailable, "something the plugin needs is down",
                            log_text(failure, name));
            case FXC_TIMEOUT:
            case FXC_CANCELLED:
                return make(bus::bus_errc::deadline_exceeded, "the plugin ran out of time",
                            log_text(failure, name));
            default:
                break;
        }
    }
    return make(bus::bus_errc::handler_failed, "the plugin failed; the server's log says why",
                log_text(failure, name));
}

}  // namespace

std::string failure_text(const call_failure& failure) {
    switch (failure.from) {
        case call_failure::origin::plugin:
            return failure.message.empty() ? fmt::format("status {}", failure.status)
                                           : failure.message;
        case call_failure::origin::contract:
            return "broke its contract: " + failure.message;
        case call_failure::origin::deadline:
            return "no answer before the deadline";
        case call_failure::origin::host:
            return failure.cause.log.empty() ? failure.cause.client : failure.cause.log;
    }
    return failure.message;
}

error command_error(const call_failure& failure, std::string_view plugin) {
    if (failure.from == call_failure::origin::plugin && failure.status == FXC_REJECTED)
        return rejection(failure, plugin);
    return bus_error(failure, plugin);
}

error query_error(const call_failure& failure, std::string_view plugin) {
    if (failure.from == call_failure::origin::plugin && failure.status == FXC_NOT_FOUND)
        return make(bus::bus_errc::not_found,
                    failure.message.empty() ? "nothing found" : failure.message, {});
    return bus_error(failure, plugin);
}

error projection_error(const call_failure& failure, std::string_view plugin) {
    if (failure.from == call_failure::origin::host) return failure.cause;
    if (failure.from == call_failure::origin::plugin &&
        (failure.status == FXC_BUSY || failure.status == FXC_UNAVAILABLE ||
         failure.status == FXC_TIMEOUT || failure.status == FXC_CANCELLED))
        // The moment is wrong, not an event.
        return make(bus::bus_errc::unavailable, "the projection cannot go on now",
                    log_text(failure, plugin));
    error made = make(domain::domain_errc::behavior_failed,
                      failure.from == call_failure::origin::deadline
                          ? "the projection did not finish in time"
                          : "the projection failed",
                      log_text(failure, plugin));
    // {"position": n} names the event that cannot be applied.
    const auto problem = problem_of(failure);
    if (const auto* const position = problem ? problem->if_contains("position") : nullptr;
        position != nullptr && position->is_number())
        return std::move(made).with("position", *position);
    return made;
}

error open_error(error refused) {
    refused.code = refused.code == plugin_errc::busy ? make_error_code(bus::bus_errc::busy)
                                                     : make_error_code(bus::bus_errc::unavailable);
    return refused;
}

error execute_error(const call_failure& failure, std::string_view name) {
    using enum call_failure::origin;
    if (failure.from == deadline)
        return make(plugin_errc::timeout, "the plugin did not answer in time",
                    log_text(failure, name));
    if (failure.from == contract || failure.from == host)
        return make(plugin_errc::failed, "the plugin failed; the server's log says why",
                    log_text(failure, name));
    std::string text = failure_text(failure);
    switch (failure.status) {
        case FXC_INVALID:
        case FXC_REJECTED:
            return make(plugin_errc::invalid_input, std::move(text), {}, problem_of(failure));
        case FXC_UNSUPPORTED:
            return make(plugin_errc::unsupported, std::move(text), {});
        case FXC_BUSY:
            return make(plugin_errc::busy, std::move(text), {});
        case FXC_TIMEOUT:
        case FXC_CANCELLED:
            return make(plugin_errc::timeout, std::move(text), {});
        default:
            return make(plugin_errc::failed, std::move(text), log_text(failure, name));
    }
}

}  // namespace flexcore::plugin
