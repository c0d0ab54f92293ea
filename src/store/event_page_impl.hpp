// event_page: copies events out of a database library's memory into a batch that owns them.
//
// Threads: one builds it; the finished batch is immutable.
#pragma once

#include "store/event.hpp"
#include "store/read_limits_impl.hpp"

#include <memory>
#include <memory_resource>

namespace flexcore::store {

class event_page {
public:
    explicit event_page(std::size_t limit);

    void add(const recorded_event&);
    [[nodiscard]] bool full() const noexcept { return page_is_full(*batch_, limit_); }
    [[nodiscard]] std::size_t count() const noexcept { return batch_->events.size(); }
    [[nodiscard]] std::shared_ptr<const event_batch> finish() &&;

private:
    [[nodiscard]] std::string_view keep(std::string_view text);

    const std::size_t limit_;
    std::shared_ptr<event_batch> batch_;
    std::shared_ptr<std::pmr::monotonic_buffer_resource> memory_;
};

}  // namespace flexcore::store
