// pulse: asks a database that has gone quiet how it is.
//
// Why:     one statement that takes long, a large batch or a scan, is not silence when a new
//          session is answered meanwhile; and the end of a silence is found out though nobody
//          may ask then.
// Cost:    nothing while answers come; else a session that is opened and closed again.
// Threads: one of its own.
#pragma once

#include "store/postgres/sessions.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace flexcore::store::postgres {

class pulse {
public:
    /// `readers` are renewed after a silence: theirs may be with a server that is gone.
    pulse(connection_settings, std::shared_ptr<sessions> readers);
    ~pulse();
    pulse(const pulse&) = delete;
    pulse& operator=(const pulse&) = delete;

private:
    void run();
    void ask();

    const connection_settings settings_;
    const std::shared_ptr<sessions> readers_;
    backoff pace_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace flexcore::store::postgres
