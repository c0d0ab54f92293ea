#include "store/postgres/watch.hpp"

#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>

namespace flexcore::store::postgres {
namespace {

monotonic::rep ticks(monotonic::time_point at) noexcept { return at.time_since_epoch().count(); }

monotonic::duration since(monotonic::rep at) noexcept {
    return monotonic::now() - monotonic::time_point{monotonic::duration{at}};
}

}  // namespace

watch::watch() : seen_{ticks(monotonic::now())}, thread_{[this] { run(); }} {
    pthread_setname_np(thread_.native_handle(), "fc-pg-watch");
}

watch::~watch() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

watch::guard::guard(watch& of, what is, int socket, deadline until, std::uint32_t timeline)
    : of_{of}, what_{is}, socket_{socket}, until_{until}, timeline_{timeline} {
    bool earlier = false;
    {
        const std::lock_guard lock{of_.mutex_};
        of_.under_way_.insert(this);
        if (of_.quiet_since_ == never) of_.quiet_since_ = ticks(begun_);
        if (of_.replaced(timeline_)) end(*this);
        earlier = of_.ends_at(*this) < of_.waits_until_;
    }
    if (earlier) of_.wake_.notify_one();
}

watch::guard::~guard() {
    const std::lock_guard lock{of_.mutex_};
    of_.under_way_.erase(this);
    // Without an answer it stays quiet: a server that is gone says nothing, however often it is
    // asked.
    if (answered_) of_.quiet_since_ = of_.under_way_.empty() ? never : ticks(monotonic::now());
}

monotonic::duration watch::quiet_for() const noexcept {
    const auto at = quiet_since_.load();
    return at == never ? monotonic::duration{} : since(at);
}

void watch::seen(monotonic::time_point at) noexcept { seen_ = ticks(at); }

monotonic::duration watch::unseen_for() const noexcept {
    const auto ago = since(seen_.load());
    return ago <= unseen_usual ? monotonic::duration{} : ago;
}

/// Reads are repeated without harm: in a silence they do not wait for their own time-out.
deadline watch::ends_at(const guard& one) const noexcept {
    if (one.what_ == what::connect || one.ended_) return no_deadline;
    const auto quiet = quiet_since_.load();
    if (one.what_ == what::write || quiet == never) return one.until_;
    const monotonic::time_point begun{monotonic::duration{quiet}};
    return std::min(one.until_, std::max(one.begun_, begun) + silence_max);
}

/// Under the lock: its guard, and so its owner, cannot close the socket meanwhile.
void watch::end(guard& one) noexcept {
    ::shutdown(one.socket_, SHUT_RDWR);
    one.ended_ = true;
}

void watch::serves(std::uint32_t timeline) {
    if (timeline <= timeline_.load()) return;
    const std::lock_guard lock{mutex_};
    if (timeline <= timeline_.load()) return;
    timeline_ = timeline;
    for (guard* one : under_way_) {
        if (replaced(one->timeline_)) end(*one);
    }
}

void watch::run() {
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        waits_until_ = no_deadline;
        for (guard* one : under_way_) {
            if (ends_at(*one) <= monotonic::now()) end(*one);
            waits_until_ = std::min(waits_until_, ends_at(*one));
        }
        if (waits_until_ == no_deadline) {
            wake_.wait(lock);
        } else {
            wake_.wait_until(lock, waits_until_);
        }
    }
}

}  // namespace flexcore::store::postgres
