#include "bus/change_counters.hpp"

#include <algorithm>
#include <functional>

namespace flexcore::bus {
namespace {

std::size_t mixed(std::size_t seed, std::string_view text) noexcept {
    const std::size_t hash = std::hash<std::string_view>{}(text);
    return (seed ^ hash) * 0x9e3779b97f4a7c15u + (seed >> 29);
}

constexpr std::uint64_t announced = 1;

// Two bumps may pass each other between taking their number and storing it: the higher stays.
void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) noexcept {
    std::uint64_t seen = value.load(std::memory_order_relaxed);
    while (seen < to && !value.compare_exchange_weak(seen, to, std::memory_order_acq_rel)) {
    }
}

}  // namespace

change_counters::change_counters()
    : values_{std::make_unique<std::array<std::atomic<std::uint64_t>, slots>>()} {}

change_counters::slot change_counters::row_slot(std::string_view tenant, std::string_view model,
                                                std::string_view key) noexcept {
    return static_cast<slot>(mixed(mixed(mixed(1, tenant), model), key) >> 48);
}

change_counters::slot change_counters::model_slot(std::string_view tenant,
                                                  std::string_view model) noexcept {
    return static_cast<slot>(mixed(mixed(2, tenant), model) >> 48);
}

std::uint64_t change_counters::last() const noexcept {
    return last_.load(std::memory_order_acquire);
}

std::uint64_t change_counters::value(slot s) const noexcept {
    return std::max((*values_)[s].load(std::memory_order_acquire),
                    all_.load(std::memory_order_acquire)) >>
           1;
}

bool change_counters::changing(slot s) const noexcept {
    return (((*values_)[s].load(std::memory_order_acquire) | all_.load(std::memory_order_acquire)) &
            announced) != 0;
}

std::uint64_t change_counters::next() noexcept {
    return (last_.fetch_add(1, std::memory_order_acq_rel) + 1) << 1;
}

void change_counters::announce(slot s) noexcept { raise((*values_)[s], next() | announced); }
void change_counters::bump(slot s) noexcept { raise((*values_)[s], next()); }
void change_counters::announce_all() noexcept { raise(all_, next() | announced); }
void change_counters::bump_all() noexcept { raise(all_, next()); }

}  // namespace flexcore::bus
