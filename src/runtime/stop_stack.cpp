#include "runtime/stop_stack.hpp"

#include "base/check.hpp"
#include "runtime/thread.hpp"

#include <utility>

namespace flexcore::runtime {

stop_stack::stop_stack(report r) : report_{std::move(r)} {}
stop_stack::~stop_stack() { run(); }

void stop_stack::push(std::string name, task stop) {
    const std::lock_guard lock{mutex_};
    FLEXCORE_CHECK(!begun_);
    stops_.push_back({std::move(name), std::move(stop)});
}

void stop_stack::run() {
    const std::lock_guard one_at_a_time{run_};
    std::vector<entry> stops;
    {
        const std::lock_guard lock{mutex_};
        begun_ = true;
        stops.swap(stops_);
    }
    for (; !stops.empty(); stops.pop_back()) {
        const deadline begin = monotonic::now();
        run_task(stops.back().stop);
        if (report_) report_(stops.back().name, monotonic::now() - begin);
    }
}

}  // namespace flexcore::runtime
