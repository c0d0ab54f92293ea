// executor: where work runs. The port through which modules hand work to threads they do not own.
#pragma once

#include <functional>

namespace flexcore::runtime {

/// Runs once; must not throw (an exception that leaves it is a defect and ends the process).
using task = std::move_only_function<void()>;

class executor {
public:
    virtual ~executor() = default;
    /// [any thread] Queues `work`; never runs it inside the call. Never refuses: admission
    /// limits belong to the queues in front of an executor, which know how to answer "busy".
    virtual void post(task work) = 0;
};

}  // namespace flexcore::runtime
