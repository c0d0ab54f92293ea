#include "bus/errc.hpp"
#include "bus/outcome_impl.hpp"
#include "store/errc.hpp"

namespace flexcore::bus {
namespace {

constexpr std::array<std::string_view, outcomes> names{"ok",      "cached", "replayed",  "rejected",
                                                       "invalid", "denied", "not_found", "conflict",
                                                       "behind",  "busy",   "deadline",  "failed"};

outcome of(bus_errc code) noexcept {
    switch (code) {
        case bus_errc::command_rejected:
            return outcome::rejected;
        case bus_errc::validation_failed:
            return outcome::invalid;
        case bus_errc::unauthorized:
        case bus_errc::forbidden:
            return outcome::denied;
        case bus_errc::unknown_command:
        case bus_errc::unknown_query:
        case bus_errc::not_found:
            return outcome::not_found;
        case bus_errc::idempotency_conflict:
        case bus_errc::request_in_progress:
        case bus_errc::duplicate_name:
            return outcome::conflict;
        case bus_errc::read_model_behind:
            return outcome::behind;
        case bus_errc::busy:
            return outcome::busy;
        case bus_errc::deadline_exceeded:
            return outcome::deadline;
        case bus_errc::handler_failed:
        case bus_errc::unavailable:
            break;
    }
    return outcome::failed;
}

outcome of(store::store_errc code) noexcept {
    switch (code) {
        case store::store_errc::version_conflict:
        case store::store_errc::condition_failed:
        case store::store_errc::event_id_conflict:
        case store::store_errc::key_conflict:
        case store::store_errc::stream_deleted:
            return outcome::conflict;
        case store::store_errc::invalid_request:
        case store::store_errc::not_indexed:
        case store::store_errc::invalid_cursor:
            return outcome::invalid;
        case store::store_errc::stream_not_found:
        case store::store_errc::event_not_found:
        case store::store_errc::unknown_model:
            return outcome::not_found;
        case store::store_errc::busy:
            return outcome::busy;
        default:
            return outcome::failed;
    }
}

}  // namespace

outcome outcome_of(const error& e) noexcept {
    static const auto& bus = make_error_code(bus_errc::busy).category();
    static const auto& store = store::make_error_code(store::store_errc::busy).category();
    if (e.code.category() == bus) return of(static_cast<bus_errc>(e.code.value()));
    if (e.code.category() == store) return of(static_cast<store::store_errc>(e.code.value()));
    return outcome::failed;
}

outcome_counters::outcome_counters(telemetry::metrics& metrics, std::string_view name,
                                   std::string_view help, const telemetry::labels& labels) {
    for (std::size_t i = 0; i < outcomes; ++i) {
        auto with_outcome = labels;
        with_outcome["outcome"] = names[i];
        counters_[i] = &metrics.counter_for(name, help, with_outcome);
    }
}

}  // namespace flexcore::bus
