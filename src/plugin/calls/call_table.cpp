#include "plugin/calls/call_table.hpp"

#include <algorithm>
#include <random>

namespace flexcore::plugin {
namespace {

/// What a slot keeps for its next call; more is given back to the heap.
constexpr std::size_t texts_kept = std::size_t{64} << 10;
constexpr std::size_t messages_kept = 256;

template <class T>
void clear(std::vector<T>& list, std::size_t kept) {
    if (list.capacity() > kept) {
        list = {};
    } else {
        list.clear();
    }
}

/// Tables begin at different generations, so that a handle given to the wrong host is noticed.
std::uint32_t first_generation() {
    std::random_device entropy;
    return (entropy() & 0x3fff'ffffU) + 1;
}

}  // namespace

call_table::call_table(std::uint32_t room) : room_{std::min(room, room_max)} {}

call_table::chunk* call_table::chunk_of(std::uint32_t index) const noexcept {
    return chunks_[index / chunk_calls].load(std::memory_order_acquire);
}

call* call_table::slot(std::uint32_t index) const noexcept {
    chunk* const in = chunk_of(index);
    return in == nullptr ? nullptr : &in->calls[index % chunk_calls];
}

call* call_table::slot_of(fxc_call handle) const noexcept {
    const auto number = static_cast<std::uint32_t>(handle);
    if (number == 0 || number > used_.load(std::memory_order_acquire)) return nullptr;
    return slot(number - 1);
}

std::uint32_t call_table::pop() noexcept {
    std::uint64_t head = free_.load(std::memory_order_acquire);
    for (;;) {
        const auto index = static_cast<std::uint32_t>(head);
        if (index == nobody) return nobody;
        const std::uint32_t next =
            chunk_of(index)->next[index % chunk_calls].load(std::memory_order_relaxed);
        const std::uint64_t counted = ((head >> 32) + 1) << 32 | next;
        if (free_.compare_exchange_weak(head, counted, std::memory_order_acq_rel)) return index;
    }
}

std::uint32_t call_table::fresh() {
    const std::lock_guard lock{growing_};
    const std::uint32_t index = used_.load(std::memory_order_relaxed);
    if (index >= room_ + lifecycle_room) return nobody;
    if (chunk_of(index) == nullptr) {
        auto made = std::make_unique<chunk>();
        const std::uint32_t generation = first_generation();
        for (std::uint32_t i = 0; i < chunk_calls; ++i) {
            made->calls[i].index = index + i;
            made->calls[i].generation = generation;
        }
        chunks_[index / chunk_calls].store(made.get(), std::memory_order_release);
        owned_.push_back(std::move(made));
    }
    used_.store(index + 1, std::memory_order_release);
    return index;
}

call* call_table::take(bool lifecycle) {
    const std::uint32_t limit = lifecycle ? room_ + lifecycle_room : room_;
    if (in_flight_.fetch_add(1) >= limit) {
        in_flight_.fetch_sub(1);
        return nullptr;
    }
    std::uint32_t index = pop();
    if (index == nobody) index = fresh();
    if (index == nobody) {
        in_flight_.fetch_sub(1);
        return nullptr;
    }
    return slot(index);
}

void call_table::retire(call& of) noexcept {
    of.generation = of.generation == 0xffff'ffffU ? 1 : of.generation + 1;
    of.published = of.inside = of.started = of.completed = of.answered = false;
    of.stuck = of.direct = false;
    of.on_worker = true;
    of.until = no_deadline;
    of.info = {};
    clear(of.texts, texts_kept);
    clear(of.tags, messages_kept);
    clear(of.messages, messages_kept);
    clear(of.pointers, messages_kept);
    of.state = nullptr;
    if (of.state_busy != nullptr) of.state_busy->store(false, std::memory_order_release);
    of.state_busy = nullptr;
    of.handler = nullptr;
    of.emits_for = nullptr;
    of.emit_stream = {};
    of.emitted_bytes = 0;
    of.projection_views = nullptr;
    of.query_views = nullptr;
    of.models_read = of.models_written = nullptr;
    of.first_position = of.last_position = 0;
    of.outcome = {};
}

void call_table::give_back(call& of) noexcept {
    auto& next = chunk_of(of.index)->next[of.index % chunk_calls];
    std::uint64_t head = free_.load(std::memory_order_relaxed);
    std::uint64_t counted = 0;
    do {
        next.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
        counted = ((head >> 32) + 1) << 32 | of.index;
    } while (!free_.compare_exchange_weak(head, counted, std::memory_order_acq_rel));
    in_flight_.fetch_sub(1);
}

}  // namespace flexcore::plugin
