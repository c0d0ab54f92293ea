#include "store/postgres/pulse.hpp"

#include <pthread.h>

namespace flexcore::store::postgres {
namespace {

constexpr std::chrono::milliseconds look_every{250};
/// Early enough for an answer before it counts as silence.
constexpr std::chrono::milliseconds quiet_enough{500};
static_assert(look_every + quiet_enough < watch::silence_max);

connection_settings reading(connection_settings settings) {
    settings.read_only = true;
    // A host that is frozen takes a whole connect_timeout, one that may not be used yet none.
    settings.others_first = true;
    return settings;
}

}  // namespace

pulse::pulse(connection_settings settings, std::shared_ptr<sessions> readers)
    : settings_{reading(std::move(settings))},
      readers_{std::move(readers)},
      thread_{[this] { run(); }} {
    pthread_setname_np(thread_.native_handle(), "fc-pg-pulse");
}

pulse::~pulse() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void pulse::run() {
    std::unique_lock lock{mutex_};
    while (!wake_.wait_for(lock, look_every, [this] { return stopping_; })) {
        if (settings_.overdue->quiet_for() < quiet_enough || monotonic::now() < pace_.next_try())
            continue;
        lock.unlock();
        ask();
        lock.lock();
    }
}

void pulse::ask() {
    const bool silent = settings_.overdue->silent();
    if (!connection::open(settings_)) return pace_.failed();
    pace_.succeeded();
    if (silent && readers_) readers_->renew();
}

}  // namespace flexcore::store::postgres
