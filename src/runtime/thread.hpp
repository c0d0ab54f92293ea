// Threads with a name and a wall: an exception that reaches the wall is a defect of ours.
#pragma once

#include "runtime/executor.hpp"

#include <string>
#include <thread>

namespace flexcore::runtime {

/// Names the calling thread "fc-<name>" as ps and debuggers show it (cut to 15 characters).
void name_this_thread(const std::string& name);

/// Runs `work`; an exception that leaves it ends the process with one line on standard error.
void run_task(task& work) noexcept;

/// A thread named "fc-<name>" that runs `body` behind the wall of `run_task`.
[[nodiscard]] std::thread start_thread(std::string name, task body);

}  // namespace flexcore::runtime
