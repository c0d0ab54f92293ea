#include "runtime/worker_pool.hpp"

#include "base/check.hpp"
#include "base/scheduling.hpp"
#include "runtime/thread.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace flexcore::runtime {

struct worker_pool::state {
    mutable std::mutex mutex;
    std::condition_variable wake;
    std::deque<task> queue;
    std::size_t running = 0;  // tasks begun and not ended: they may still post
    std::size_t idle = 0;     // threads that wait
    bool waking = false;      // one of them has been called and has not come yet
    bool stopping = false;
    std::vector<std::thread> threads;

    /// Whether to call a thread. One at a time: who comes and finds more calls the next. Tasks that
    /// are over sooner than a thread wakes up then cost one wake-up together, not one each.
    [[nodiscard]] bool calls() {
        if (waking || idle == 0 || queue.empty()) return false;
        return waking = true;
    }

    void work() {
        std::unique_lock lock{mutex};
        for (;;) {
            // While another task runs it may post more, and `stop` promises to run that too.
            ++idle;
            while (queue.empty() && !(stopping && running == 0)) {
                wake.wait(lock);
                waking = false;
            }
            --idle;
            if (queue.empty()) return;
            {
                task next = std::move(queue.front());
                queue.pop_front();
                ++running;
                const bool more = calls();
                lock.unlock();
                if (more) wake.notify_one();
                run_task(next);
            }  // what the task holds goes away outside the lock
            lock.lock();
            if (--running == 0 && stopping) wake.notify_all();
        }
    }
};

worker_pool::worker_pool(std::string_view name, std::size_t threads)
    : state_{std::make_unique<state>()} {
    FLEXCORE_CHECK(threads > 0);
    for (std::size_t i = 0; i < threads; ++i)
        state_->threads.push_back(start_thread(
            std::string{name.substr(0, 10)} + "-" + std::to_string(i), [s = state_.get()] {
                run_in_background();
                s->work();
            }));
}

worker_pool::~worker_pool() { stop(); }

void worker_pool::post(task work) {
    bool call = false;
    {
        const std::lock_guard lock{state_->mutex};
        // Otherwise nobody is left to run it: it is destroyed unrun, behind the lock.
        if (!state_->stopping || state_->running > 0 || !state_->queue.empty()) {
            state_->queue.push_back(std::move(work));
            work = nullptr;
            call = state_->calls();
        }
    }
    if (call) state_->wake.notify_one();
}

void worker_pool::stop() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock{state_->mutex};
        state_->stopping = true;
        threads.swap(state_->threads);
    }
    state_->wake.notify_all();
    for (std::thread& thread : threads) {
        FLEXCORE_CHECK(thread.get_id() != std::this_thread::get_id());
        thread.join();
    }
}

std::size_t worker_pool::waiting() const noexcept {
    const std::lock_guard lock{state_->mutex};
    return state_->queue.size();
}

}  // namespace flexcore::runtime
