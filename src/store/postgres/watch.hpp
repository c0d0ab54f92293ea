// watch: ends statements that the server neither answers nor gives up. The server's own
// statement_timeout does not help when the server, or what stands between, has gone silent; libpq
// waits for ever then. The watch shuts the socket down, and the wait ends with an error.
//
// Threads:  `guard` on any thread; one thread of its own looks at what is overdue.
// Lifetime: guards end before their socket is closed, and before the watch.
#pragma once

#include "base/clock.hpp"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

namespace flexcore::store::postgres {

class watch {
public:
    watch();
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    class guard {
    public:
        guard(watch&, int socket, deadline);
        ~guard();
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;

    private:
        watch& of_;
        const std::pair<deadline, int> entry_;
    };

private:
    void run();

    std::mutex mutex_;
    std::condition_variable wake_;
    std::set<std::pair<deadline, int>> watched_;  ///< a socket has one statement at a time
    deadline waits_until_ = no_deadline;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace flexcore::store::postgres
