// watch: what is heard of the database, by all sessions of a store together.
//
// Overdue: statements that the server neither answers nor gives up are ended. The server's own
//          statement_timeout does not help when the server, or what stands between, has gone
//          silent; libpq waits for ever then. The watch shuts the socket down, and the wait ends
//          with an error.
// Silence: begins with what is asked and not answered, a new session too, and ends with the next
//          answer of any session. Beyond `silence_max` reads that wait are given up, and whoever
//          would begin something is told so instead. One slow statement is not silence: see
//          `pulse`.
// Replaced: once a session is with a server on a higher timeline, those with the servers before are
//          given up: they may be frozen, or alive and no longer the ones that count.
// Seen:    when it was last certain that this process knows all that was written to the log.
// Threads: any; one thread of its own looks at what is overdue.
// Lifetime: guards end before their socket is closed, and before the watch.
#pragma once

#include "base/clock.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

namespace flexcore::store::postgres {

class watch {
public:
    static constexpr std::chrono::milliseconds silence_max{1'500};
    /// The log is looked at each second, with other work to do every third one, and an answer is
    /// awaited for as long as above.
    static constexpr std::chrono::milliseconds unseen_usual{5'000};

    watch();
    ~watch();
    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    enum class what : std::uint8_t { write, read, connect };

    /// Something is asked for as long as this lives.
    class guard {
    public:
        /// A try to connect has no socket yet, and its own time-out. `timeline`: of the server that
        /// is asked; 0: not known yet.
        guard(watch&, what, int socket, deadline, std::uint32_t timeline = 0);
        ~guard();
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;
        /// The server has said something, were it a refusal.
        void answered() noexcept { answered_ = true; }

    private:
        friend class watch;
        watch& of_;
        const what what_;
        const int socket_;
        const deadline until_;
        const std::uint32_t timeline_;
        const monotonic::time_point begun_ = monotonic::now();
        bool answered_ = false;
        bool ended_ = false;  ///< by the watch
    };

    /// For how long something has been asked and nothing answered; zero in touch.
    [[nodiscard]] monotonic::duration quiet_for() const noexcept;
    [[nodiscard]] bool silent() const noexcept { return quiet_for() >= silence_max; }

    /// A server on this timeline has been accepted: what is under way with those before is ended.
    void serves(std::uint32_t timeline);
    [[nodiscard]] bool replaced(std::uint32_t timeline) const noexcept {
        return timeline != 0 && timeline < timeline_.load();
    }

    /// What others had written by then is known.
    void seen(monotonic::time_point) noexcept;
    /// How long ago that was; zero while it is as usual.
    [[nodiscard]] monotonic::duration unseen_for() const noexcept;

    /// The catalogue of read models has changed so often.
    void catalogue_is_at(std::uint64_t changes) noexcept { catalogue_ = changes; }
    [[nodiscard]] std::uint64_t catalogue() const noexcept { return catalogue_; }

private:
    void run();
    static void end(guard&) noexcept;
    [[nodiscard]] deadline ends_at(const guard&) const noexcept;

    static constexpr monotonic::rep never = 0;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::set<guard*> under_way_;
    std::atomic<monotonic::rep> quiet_since_{never};
    std::atomic<monotonic::rep> seen_;
    std::atomic<std::uint64_t> catalogue_{0};
    std::atomic<std::uint32_t> timeline_{0};  ///< the highest that serves
    deadline waits_until_ = no_deadline;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace flexcore::store::postgres
