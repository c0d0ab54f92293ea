#include "store/event_page_impl.hpp"

#include <algorithm>
#include <cstring>

namespace flexcore::store {
namespace {

constexpr std::size_t first_block_max = 64 * 1024;
constexpr std::size_t expected_event_bytes = 384;

}  // namespace

event_page::event_page(std::size_t limit)
    : limit_{limit},
      batch_{std::make_shared<event_batch>()},
      memory_{std::make_shared<std::pmr::monotonic_buffer_resource>(
          std::min(limit * expected_event_bytes, first_block_max))} {
    batch_->events.reserve(std::min<std::size_t>(limit, 1024));
}

std::string_view event_page::keep(std::string_view text) {
    if (text.empty()) return {};
    auto* copy = static_cast<char*>(memory_->allocate(text.size(), 1));
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
}

void event_page::add(const recorded_event& event) {
    const recorded_event* last = batch_->events.empty() ? nullptr : &batch_->events.back();
    const auto same_or_kept = [&](std::string_view recorded_event::* text) {
        return last != nullptr && last->*text == event.*text ? last->*text : keep(event.*text);
    };
    recorded_event copy = event;
    copy.tenant = same_or_kept(&recorded_event::tenant);
    copy.stream = same_or_kept(&recorded_event::stream);
    copy.type = same_or_kept(&recorded_event::type);
    copy.data = keep(event.data);
    copy.metadata = same_or_kept(&recorded_event::metadata);
    if (!event.tags.empty()) {
        auto* tags = static_cast<std::string_view*>(
            memory_->allocate(event.tags.size_bytes(), alignof(std::string_view)));
        std::transform(event.tags.begin(), event.tags.end(), tags,
                       [&](std::string_view tag) { return keep(tag); });
        copy.tags = {tags, event.tags.size()};
    }
    batch_->bytes += text_bytes(event);
    batch_->events.push_back(copy);
}

std::shared_ptr<const event_batch> event_page::finish() && {
    batch_->backing.push_back(std::move(memory_));
    return std::move(batch_);
}

}  // namespace flexcore::store
