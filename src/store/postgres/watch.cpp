#include "store/postgres/watch.hpp"

#include <pthread.h>
#include <sys/socket.h>

namespace flexcore::store::postgres {

watch::watch() : thread_{[this] { run(); }} {
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

watch::guard::guard(watch& of, int socket, deadline until) : of_{of}, entry_{until, socket} {
    bool earlier = false;
    {
        const std::lock_guard lock{of_.mutex_};
        of_.watched_.insert(entry_);
        earlier = until < of_.waits_until_;
    }
    if (earlier) of_.wake_.notify_one();
}

watch::guard::~guard() {
    const std::lock_guard lock{of_.mutex_};
    of_.watched_.erase(entry_);
}

void watch::run() {
    std::unique_lock lock{mutex_};
    while (!stopping_) {
        while (!watched_.empty() && watched_.begin()->first <= monotonic::now()) {
            // Under the lock: its guard, and so its owner, cannot close the socket meanwhile.
            ::shutdown(watched_.begin()->second, SHUT_RDWR);
            watched_.erase(watched_.begin());
        }
        waits_until_ = watched_.empty() ? no_deadline : watched_.begin()->first;
        if (watched_.empty()) {
            wake_.wait(lock);
        } else {
            wake_.wait_until(lock, waits_until_);
        }
    }
}

}  // namespace flexcore::store::postgres
