#include "store/postgres/sessions.hpp"

#include <algorithm>
#include <random>

namespace flexcore::store::postgres {

void backoff::failed() {
    using std::chrono::nanoseconds;
    pause_ = std::clamp<monotonic::duration>(pause_ * 2, first, longest);
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto ticks = monotonic::duration{pause_}.count();
    std::uniform_int_distribution<monotonic::rep> part{ticks / 2, ticks};
    next_ = monotonic::now() + monotonic::duration{part(random)};
}

struct sessions::shared {
    const connection_settings settings;
    const session_limits limits;
    std::mutex mutex;
    std::condition_variable back;
    std::vector<std::unique_ptr<connection>> idle;
    std::size_t count = 0;  ///< idle, lent or being opened
    backoff pace;
    std::optional<error> last_failure;  ///< until one opens
    bool closed = false;

    void give_back(std::unique_ptr<connection> session) {
        {
            const std::lock_guard lock{mutex};
            if (closed || !session->usable()) {
                --count;
            } else {
                idle.push_back(std::move(session));
            }
        }
        back.notify_one();
        // Closed here, behind the lock, when it did not go back.
    }
};

sessions::loan::loan(std::shared_ptr<shared> pool, std::unique_ptr<connection> session)
    : pool_{std::move(pool)}, session_{std::move(session)} {}

sessions::loan::~loan() {
    if (!session_) return;
    session_->roll_back();
    pool_->give_back(std::move(session_));
}

sessions::sessions(connection_settings settings, const session_limits& limits)
    : shared_{new shared{.settings = std::move(settings),
                         .limits = limits,
                         .mutex = {},
                         .back = {},
                         .idle = {},
                         .pace = {},
                         .last_failure = {}}} {}

sessions::~sessions() { close(); }

result<sessions::loan> sessions::lend() {
    std::unique_lock lock{shared_->mutex};
    const auto until = monotonic::now() + shared_->limits.wait_max;
    const auto may_go_on = [this] {
        return shared_->closed || !shared_->idle.empty() ||
               shared_->count < shared_->limits.sessions_max;
    };
    if (!shared_->back.wait_until(lock, until, may_go_on)) {
        return fail(store_errc::busy, "all sessions with the database are in use");
    }
    if (shared_->closed) return fail(store_errc::stopped, "the store is closed");
    if (!shared_->idle.empty()) {
        auto session = std::move(shared_->idle.back());
        shared_->idle.pop_back();
        return loan{shared_, std::move(session)};
    }
    if (shared_->last_failure && monotonic::now() < shared_->pace.next_try())
        return fail(*shared_->last_failure);
    ++shared_->count;
    lock.unlock();
    auto made = connection::open(shared_->settings);
    lock.lock();
    if (made) {
        shared_->pace.succeeded();
        shared_->last_failure.reset();
        return loan{shared_, std::move(*made)};
    }
    --shared_->count;
    shared_->pace.failed();
    shared_->last_failure = made.error();
    lock.unlock();
    shared_->back.notify_one();
    return fail(std::move(made.error()));
}

void sessions::close() {
    std::vector<std::unique_ptr<connection>> gone;
    {
        const std::lock_guard lock{shared_->mutex};
        shared_->closed = true;
        shared_->count -= shared_->idle.size();
        gone.swap(shared_->idle);
    }
    shared_->back.notify_all();
}

}  // namespace flexcore::store::postgres
