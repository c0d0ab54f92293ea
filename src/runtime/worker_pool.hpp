// worker_pool: a few threads for whatever may wait: log reads, domain logic, files.
//
// Threads:  `post` on any thread. Work starts in the order posted and runs concurrently.
// Lifetime: `stop` runs what is queued and what that posts, then joins; the destructor stops.
//           What is posted later still is destroyed unrun. Never stop from a task of the pool.
#pragma once

#include "runtime/executor.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace flexcore::runtime {

class worker_pool final : public executor {
public:
    /// `name` becomes the threads' name ("work" → "fc-work-0"), at most 10 characters.
    worker_pool(std::string_view name, std::size_t threads);
    ~worker_pool() override;

    void post(task work) override;
    void stop();
    /// Tasks queued and not yet begun; for metrics.
    [[nodiscard]] std::size_t waiting() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// serial_executor: a strand over another executor: never two tasks at once, in order.
/// The tasks keep the strand's state alive; the object itself may go first.
class serial_executor final : public executor {
public:
    explicit serial_executor(executor& under);
    ~serial_executor() override;
    void post(task work) override;

private:
    struct state;
    std::shared_ptr<state> state_;
};

}  // namespace flexcore::runtime
