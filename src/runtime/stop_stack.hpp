// stop_stack: the ordered stop. Each construction pushes how to undo it; stops run last-in,
// first-out, so that nothing stops while something above still uses it.
//
// Threads: `push` and `run` on any thread, `run` by the first caller only.
#pragma once

#include "base/clock.hpp"
#include "runtime/executor.hpp"

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::runtime {

class stop_stack {
public:
    /// Told after each stop how long it took; for the log. May be empty.
    using report = std::function<void(std::string_view name, monotonic::duration took)>;

    explicit stop_stack(report);
    ~stop_stack();  ///< runs what is left
    stop_stack(const stop_stack&) = delete;
    stop_stack& operator=(const stop_stack&) = delete;

    /// After `run` has begun: a defect (FLEXCORE_CHECK).
    void push(std::string name, task stop);
    /// Runs every stop once; a later call returns when the first has ended.
    void run();

private:
    struct entry {
        std::string name;
        task stop;
    };
    report report_;
    std::mutex mutex_;  // guards stops_ and begun_
    std::mutex run_;    // held while stops run
    std::vector<entry> stops_;
    bool begun_ = false;
};

}  // namespace flexcore::runtime
