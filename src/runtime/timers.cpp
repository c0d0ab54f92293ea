#include "runtime/timers.hpp"

#include "base/check.hpp"
#include "runtime/thread.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace flexcore::runtime {

struct timers::state {
    using key = std::pair<deadline, timer_id>;  // equal deadlines run in the order they were set

    std::mutex mutex;
    std::condition_variable wake;
    std::map<key, task> pending;
    std::unordered_map<timer_id, deadline> when_of;
    timer_id last_id = 0;
    bool stopping = false;
    std::thread thread;

    void run() {
        std::unique_lock lock{mutex};
        while (!stopping) {
            if (pending.empty() || pending.begin()->first.first == no_deadline) {
                wake.wait(lock);
                continue;
            }
            const deadline next = pending.begin()->first.first;
            if (next > monotonic::now()) {
                wake.wait_until(lock, next);
                continue;
            }
            auto due = pending.extract(pending.begin());
            when_of.erase(due.key().second);
            lock.unlock();
            run_task(due.mapped());
            due = {};  // what the task holds goes away outside the lock
            lock.lock();
        }
    }
};

timers::timers() : state_{std::make_unique<state>()} {
    state_->thread = start_thread("timers", [s = state_.get()] { s->run(); });
}

timers::~timers() { stop(); }

timer_id timers::at(deadline when, task work) {
    timer_id id = 0;
    bool first = false;
    {
        const std::lock_guard lock{state_->mutex};
        id = ++state_->last_id;
        if (state_->stopping) return id;
        const auto place = state_->pending.emplace(state::key{when, id}, std::move(work)).first;
        state_->when_of.emplace(id, when);
        first = place == state_->pending.begin();
    }
    if (first) state_->wake.notify_one();
    return id;
}

timer_id timers::after(monotonic::duration delay, task work) {
    const deadline now = monotonic::now();
    return at(delay < no_deadline - now ? now + delay : no_deadline, std::move(work));
}

bool timers::cancel(timer_id id) {
    std::map<state::key, task>::node_type dropped;  // destroyed outside the lock
    const std::lock_guard lock{state_->mutex};
    const auto found = state_->when_of.find(id);
    if (found == state_->when_of.end()) return false;
    dropped = state_->pending.extract({found->second, id});
    state_->when_of.erase(found);
    return true;
}

void timers::stop() {
    std::map<state::key, task> dropped;
    std::thread thread;
    {
        const std::lock_guard lock{state_->mutex};
        state_->stopping = true;
        dropped.swap(state_->pending);
        state_->when_of.clear();
        thread.swap(state_->thread);
    }
    state_->wake.notify_one();
    if (!thread.joinable()) return;
    FLEXCORE_CHECK(thread.get_id() != std::this_thread::get_id());
    thread.join();
}

}  // namespace flexcore::runtime
