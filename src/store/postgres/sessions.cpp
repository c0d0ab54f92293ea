#include "store/postgres/sessions.hpp"

#include <algorithm>
#include <random>

namespace flexcore::store::postgres {
namespace {

error no_answer() {
    return {store_errc::unavailable, "the database is not available", "it does not answer"};
}

}  // namespace

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
    std::uint64_t age = 0;  ///< how often it was renewed

    void give_back(std::unique_ptr<connection> session, std::uint64_t lent_at) {
        std::vector<std::unique_ptr<connection>> gone;  // closed behind the lock
        {
            const std::lock_guard lock{mutex};
            if (!closed && session->usable() && lent_at == age) {
                idle.push_back(std::move(session));
            } else {
                --count;
                if (!closed && lent_at == age) {
                    // Those that lie here have most likely met the same end.
                    count -= idle.size();
                    gone.swap(idle);
                }
            }
        }
        back.notify_all();
    }
};

sessions::loan::loan(std::shared_ptr<shared> pool, std::unique_ptr<connection> session,
                     std::uint64_t age)
    : pool_{std::move(pool)}, session_{std::move(session)}, age_{age} {}

sessions::loan::~loan() {
    if (!session_) return;
    session_->roll_back();
    pool_->give_back(std::move(session_), age_);
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
    const watch& heard = *shared_->settings.overdue;
    if (heard.silent()) return fail(no_answer());
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
    if (heard.silent()) return fail(no_answer());  // meanwhile
    if (!shared_->idle.empty()) {
        auto session = std::move(shared_->idle.back());
        shared_->idle.pop_back();
        return loan{shared_, std::move(session), shared_->age};
    }
    if (shared_->last_failure && monotonic::now() < shared_->pace.next_try())
        return fail(*shared_->last_failure);
    ++shared_->count;
    const std::uint64_t age = shared_->age;
    lock.unlock();
    auto made = connection::open(shared_->settings);
    lock.lock();
    if (made) {
        shared_->pace.succeeded();
        shared_->last_failure.reset();
        return loan{shared_, std::move(*made), age};
    }
    --shared_->count;
    shared_->pace.failed();
    auto told = for_clients(std::move(made.error()));
    shared_->last_failure = told;
    lock.unlock();
    shared_->back.notify_one();
    return fail(std::move(told));
}

void sessions::renew() {
    std::vector<std::unique_ptr<connection>> gone;
    const std::lock_guard lock{shared_->mutex};
    ++shared_->age;
    shared_->last_failure.reset();  // somebody has got through
    shared_->count -= shared_->idle.size();
    gone.swap(shared_->idle);
}

std::uint64_t sessions::age() const {
    const std::lock_guard lock{shared_->mutex};
    return shared_->age;
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
