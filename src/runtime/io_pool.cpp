#include "runtime/io_pool.hpp"

#include "base/check.hpp"
#include "base/scheduling.hpp"
#include "runtime/thread.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flexcore::runtime {

struct io_pool::state {
    struct lane {
        // One thread per context: the hint spares Asio its locks between threads.
        boost::asio::io_context context{1};
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy{
            context.get_executor()};
        std::thread thread;
    };
    std::vector<std::unique_ptr<lane>> lanes;
    bool started = false;
};

io_pool::io_pool(std::size_t threads) : state_{std::make_unique<state>()} {
    FLEXCORE_CHECK(threads > 0);
    for (std::size_t i = 0; i < threads; ++i)
        state_->lanes.push_back(std::make_unique<state::lane>());
}

io_pool::~io_pool() { stop(); }

std::size_t io_pool::size() const noexcept { return state_->lanes.size(); }

boost::asio::io_context& io_pool::at(std::size_t i) {
    FLEXCORE_CHECK(i < size());
    return state_->lanes[i]->context;
}

void io_pool::start() {
    FLEXCORE_CHECK(!state_->started);
    state_->started = true;
    for (std::size_t i = 0; i < size(); ++i)
        state_->lanes[i]->thread =
            start_thread("io-" + std::to_string(i), [context = &state_->lanes[i]->context] {
                run_promptly();
                context->run();
            });
}

void io_pool::stop() {
    for (const auto& lane : state_->lanes) lane->context.stop();
    for (const auto& lane : state_->lanes) {
        if (!lane->thread.joinable()) continue;
        FLEXCORE_CHECK(lane->thread.get_id() != std::this_thread::get_id());
        lane->thread.join();
    }
}

}  // namespace flexcore::runtime
