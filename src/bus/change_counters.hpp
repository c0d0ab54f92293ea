// change_counters: what has changed in the read models, for the query cache.
//
// Shape:   a fixed table of counters; rows and models hash into it. Two that share a slot only
//          make the cache forget more than it must, never less.
// Order:   the projector bumps after its commit. A reader takes the values before it reads; the
//          answer may be cached as long as they stay the same.
// Threads: any, lock-free.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace flexcore::bus {

class change_counters {
public:
    change_counters();
    using slot = std::uint32_t;
    [[nodiscard]] static slot row_slot(std::string_view tenant, std::string_view model,
                                       std::string_view key) noexcept;
    [[nodiscard]] static slot model_slot(std::string_view tenant, std::string_view model) noexcept;
    [[nodiscard]] std::uint64_t value(slot) const noexcept;
    void bump(slot) noexcept;
    /// After a rebuild was switched in, or a plugin replaced: everything counts as changed.
    void bump_all() noexcept;

private:
    static constexpr std::size_t slots = 1u << 16;
    std::unique_ptr<std::array<std::atomic<std::uint64_t>, slots>> values_;
    std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace flexcore::bus
