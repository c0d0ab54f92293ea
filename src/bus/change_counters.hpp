// change_counters: what has changed in the read models, for the query cache.
//
// Shape:   every change gets the next number; a slot keeps the number of its last change. Rows and
//          models hash into a fixed table of slots. Two that share a slot only make the cache
//          forget more than it must, never less.
// Order:   the projector announces what a commit is going to change, commits, and bumps (also when
//          the commit failed). A reader takes `last()` before it opens its snapshot; what it read
//          is unchanged as long as value(slot) <= that number. So a reader need not know beforehand
//          what it is going to read. Who reads from a second snapshot must also find that nothing
//          is `changing`: it may see a commit that is not bumped yet.
// Threads: any, lock-free; announcing and bumping one slot is one thread's at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace flexcore::bus {

class change_counters {
public:
    change_counters();
    using slot = std::uint32_t;
    [[nodiscard]] static slot row_slot(std::string_view tenant, std::string_view model,
                                       std::string_view key) noexcept;
    [[nodiscard]] static slot model_slot(std::string_view tenant, std::string_view model) noexcept;
    /// The number of the newest change of any slot.
    [[nodiscard]] std::uint64_t last() const noexcept;
    /// The number of the slot's last change; ascends.
    [[nodiscard]] std::uint64_t value(slot) const noexcept;
    /// Between announce and bump: a commit that changes it may or may not be visible.
    [[nodiscard]] bool changing(slot) const noexcept;
    void announce(slot) noexcept;
    void bump(slot) noexcept;
    void announce_all() noexcept;
    /// After a rebuild was switched in, or a plugin replaced: everything counts as changed.
    void bump_all() noexcept;

private:
    // A number and, in the lowest bit, whether it was announced only.
    static constexpr std::size_t slots = 1u << 16;
    [[nodiscard]] std::uint64_t next() noexcept;

    std::unique_ptr<std::array<std::atomic<std::uint64_t>, slots>> values_;
    std::atomic<std::uint64_t> last_{0};
    std::atomic<std::uint64_t> all_{0};  ///< the last change of everything
};

}  // namespace flexcore::bus
