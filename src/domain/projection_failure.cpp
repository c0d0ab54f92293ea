#include "domain/projection_access_impl.hpp"
#include "domain/projection_runner_impl.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

std::string text_of(const error& why) {
    return why.log.empty() ? why.client : why.client + ": " + why.log;
}

/// How many of the events to be tried lie before the one the failure names; nothing when it names
/// none of them.
std::optional<std::size_t> before_named(const error& why, const follower& f, std::size_t tried) {
    if (!why.members) return std::nullopt;
    const auto* named = why.members->if_contains("position");
    if (named == nullptr) return std::nullopt;
    boost::system::error_code bad;
    const auto at = named->to_number<store::position>(bad);
    if (bad) return std::nullopt;
    for (std::size_t i = 0; i < tried; ++i) {
        if (f.batch->events[f.next + i].pos == at) return i;
    }
    return std::nullopt;
}

}  // namespace

/// `tried`: how many events the failed apply was given, 0 when the store failed.
void projection_runner::state::failed(projection& p, follower& f, const error& why,
                                      std::size_t tried) {
    if (why.code == store::store_errc::checkpoint_conflict ||
        why.code == store::store_errc::unknown_generation) {
        // As usual as it is rare, by how many servers there are.
        if (const auto left_out = p.moved_elsewhere.take(monotonic::now())) {
            telemetry::log(telemetry::level::info, "domain",
                           "another server has moved a projection on; it is read again",
                           {{"projection", std::string_view{p.spec.name}},
                            {"detail", std::string_view{why.client}},
                            {"left_out", *left_out}});
        }
        // Rows may have changed without anybody here having counted it.
        changes.bump_all();
        reopen(p);
        return;
    }
    p.failures->add();
    // Not the events' fault when the store failed or the behavior did not get to them.
    if (tried == 0 || is_store_failure(why) || why.code == bus::bus_errc::busy ||
        why.code == bus::bus_errc::unavailable) {
        stop(p, f, why, 0);
        return;
    }
    if (tried == 1) {
        f.try_events = 1;
        stop(p, f, why, f.batch->events[f.next].pos);
        return;
    }
    if (const auto before = before_named(why, f, tried)) {
        f.try_events = std::max<std::size_t>(*before, 1);
    } else {
        f.try_events = tried / 2;
    }
}

void projection_runner::state::stop(projection& p, follower& f, const error& why,
                                    store::position poison) {
    const std::string because =
        poison == 0 ? text_of(why)
                    : "the event at position " + std::to_string(poison) + ": " + text_of(why);
    const auto longest = is_store_failure(why)
                             ? std::min(settings.retry_delay_max, projection::store_retry_max)
                             : settings.retry_delay_max;
    f.delay =
        f.delay == monotonic::duration{} ? settings.retry_delay : std::min(f.delay * 2, longest);
    f.retry_at = monotonic::now() + f.delay;
    f.poison = poison;
    if (f.stopped_because != because) {
        f.stopped_because = because;
        telemetry::log(telemetry::level::error, "domain", "a projection has stopped",
                       {{"projection", std::string_view{p.spec.name}},
                        {"reason", std::string_view{because}},
                        {"position", poison}});
        // A store that cannot take the note is most likely why it stopped: the log has it.
        (void)views.set_stopped(f.id, because);
    }
    publish(p);
}

void projection_runner::state::recovered(follower& f) {
    f.stopped_because.clear();
    f.poison = 0;
    f.delay = {};
    (void)views.set_stopped(f.id, "");
}

/// Its generations are looked up again at the next pass.
void projection_runner::state::reopen(projection& p) {
    p.open = false;
    p.serving.events.reset();
    p.serving.batch.reset();
    p.serving.next = 0;
    p.building.reset();
}

}  // namespace flexcore::domain
