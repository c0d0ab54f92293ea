#include "runtime/thread.hpp"
#include "runtime/worker_pool.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

namespace flexcore::runtime {

struct serial_executor::state : std::enable_shared_from_this<state> {
    explicit state(executor& e) : under{e} {}

    executor& under;
    std::mutex mutex;
    std::deque<task> queue;
    bool scheduled = false;

    void schedule() {
        under.post([self = shared_from_this()] { self->run_batch(); });
    }

    /// Runs what is waiting now, then goes to the back of the line: a busy strand must not keep
    /// a thread of the pool for itself.
    void run_batch() {
        std::deque<task> batch;
        {
            const std::lock_guard lock{mutex};
            batch.swap(queue);
        }
        for (; !batch.empty(); batch.pop_front()) run_task(batch.front());
        {
            const std::lock_guard lock{mutex};
            scheduled = !queue.empty();
            if (!scheduled) return;
        }
        schedule();
    }
};

serial_executor::serial_executor(executor& under) : state_{std::make_shared<state>(under)} {}
serial_executor::~serial_executor() = default;

void serial_executor::post(task work) {
    {
        const std::lock_guard lock{state_->mutex};
        state_->queue.push_back(std::move(work));
        if (std::exchange(state_->scheduled, true)) return;
    }
    state_->schedule();
}

}  // namespace flexcore::runtime
