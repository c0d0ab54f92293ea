#include "gateway/follower.hpp"

#include "telemetry/log.hpp"

#include <algorithm>

namespace flexcore::gateway {
namespace {

constexpr int turns_per_visit = 8;
constexpr std::size_t unsent_bytes_max = 256u << 10;

}  // namespace

follower::follower(std::shared_ptr<api> on, std::unique_ptr<bus::subscriber> from,
                   std::shared_ptr<io_home> home)
    : on_{std::move(on)}, from_{std::move(from)}, home_{std::move(home)}, clock_{*this} {}

void follower::detach() {
    port_ = nullptr;
    wake_at(no_deadline);
    if (!reading_) from_->cancel_wait();
}

std::size_t follower::turn(std::size_t most) const noexcept {
    const bool tight = on_->held->full();
    if (port_->full(tight ? 1 : unsent_bytes_max)) return 0;
    return tight ? std::min<std::size_t>(most, 1) : most;
}

void follower::advance() {
    if (reading_ || port_ == nullptr) return;
    for (int turn = 0; turn < turns_per_visit; ++turn) {
        const std::size_t limit = room();
        if (limit == 0) return;
        auto live = from_->take_live(limit);
        if (!live) {
            read_on_worker(limit);
            return;
        }
        if (!deliver(std::move(*live))) return;
    }
    // Others of this thread have their turn.
    home_->post([self = shared_from_this()] { self->advance(); });
}

void follower::read_on_worker(std::size_t limit) {
    reading_ = true;
    on_->services.workers.post([self = shared_from_this(), limit]() mutable {
        // Much may have come together while this waited for its turn.
        auto taken = self->from_->take(self->on_->held->full() ? 1 : limit);
        io_home& home = *self->home_;
        home.post([self = std::move(self), taken = std::move(taken)]() mutable {
            self->reading_ = false;
            if (self->port_ != nullptr && self->deliver(std::move(taken))) self->advance();
        });
    });
}

/// False when there is nothing more right now.
bool follower::deliver(result<bus::subscriber::taken> taken) {
    if (!taken) {
        telemetry::log(telemetry::level::warn, "gateway", "event stream ended",
                       {{"detail", std::string_view{taken.error().client}},
                        {"cause", std::string_view{taken.error().log}}});
        give_up();
        return false;
    }
    give(*taken);
    if (!taken->at_head) return true;
    from_->wait([self = weak_from_this(), home = home_] {
        home->post([self] {
            if (const auto one = self.lock()) one->advance();
        });
    });
    return false;
}

}  // namespace flexcore::gateway
