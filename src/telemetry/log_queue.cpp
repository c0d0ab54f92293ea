#include "telemetry/log_queue.hpp"

#include "base/scheduling.hpp"

#include <pthread.h>

#include <utility>

namespace flexcore::telemetry {
namespace {

constexpr std::size_t block_bytes = 16u << 10;

}  // namespace

log_queue::log_queue(std::shared_ptr<spdlog::logger> logger)
    : logger_{std::move(logger)}, writer_{[this] {
          run_in_background();
          write_out();
      }} {
    pthread_setname_np(writer_.native_handle(), "fc-log");
}

log_queue::~log_queue() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    writer_.join();
}

void log_queue::push(std::string_view line, bool urgent) {
    bool wake = false;
    {
        const std::lock_guard lock{mutex_};
        if (waiting_.empty() || waiting_.back().text.size() + line.size() >= block_bytes) {
            waiting_.emplace_back().text.reserve(std::max(block_bytes, line.size() + 1));
        }
        block& last = waiting_.back();
        // Between lines only: the sink ends a block as it ends a line.
        if (last.lines++ != 0) last.text += '\n';
        last.text += line;
        bytes_ += line.size() + 1;
        while (bytes_ > queued_bytes_max && waiting_.size() > 1) {
            bytes_ -= waiting_.front().text.size() + 1;
            dropped_ += waiting_.front().lines;
            waiting_.pop_front();
        }
        wake = std::exchange(idle_, false) || (urgent && !urgent_);
        urgent_ = urgent_ || urgent;
    }
    if (wake) wake_.notify_one();
}

std::uint64_t log_queue::dropped() const noexcept {
    const std::lock_guard lock{mutex_};
    return dropped_;
}

void log_queue::write_out() {
    std::deque<block> writing;
    std::unique_lock lock{mutex_};
    for (;;) {
        idle_ = waiting_.empty();
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        wake_.wait_for(lock, gather, [this] { return stopping_ || urgent_; });
        writing.swap(waiting_);
        bytes_ = 0;
        urgent_ = false;
        lock.unlock();
        for (const block& one : writing) {
            logger_->log(spdlog::level::info,
                         spdlog::string_view_t{one.text.data(), one.text.size()});
        }
        logger_->flush();
        writing.clear();
        lock.lock();
    }
}

}  // namespace flexcore::telemetry
