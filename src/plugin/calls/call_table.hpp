// call_table: the calls of one plugin. A handle is slot and generation; a slot that is given back
// gets the next generation, so that a handle never means a later call.
//
// Bounds:   `room` calls for users plus a few for the lifecycle; memory grows in chunks and is
// kept. Threads:  any. take and give_back are lock-free (a stack with a counted head); a call's own
// state
//           is under its guard.
// Lifetime: slots live as long as the table.
#pragma once

#include "plugin/calls/call.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace flexcore::plugin {

class call_table {
public:
    static constexpr std::uint32_t room_max = 65'536 - 16;
    static constexpr std::uint32_t lifecycle_room = 16;

    explicit call_table(std::uint32_t room);

    /// A cleared call that is the caller's alone until published. NULL: no room.
    [[nodiscard]] call* take(bool lifecycle);
    /// Requires the call's guard or sole ownership; the next generation begins. Unlock after.
    void retire(call&) noexcept;
    /// Puts a retired slot back, outside of its guard.
    void give_back(call&) noexcept;

    /// The slot behind a handle, whatever its generation; NULL when there never was one.
    [[nodiscard]] call* slot_of(fxc_call) const noexcept;

    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_.load(); }
    /// All slots ever used, for sweeping.
    template <class Visit>
    void each(Visit visit) const {
        const std::uint32_t used = used_.load(std::memory_order_acquire);
        for (std::uint32_t i = 0; i < used; ++i)
            if (call* const at = slot(i)) visit(*at);
    }

private:
    static constexpr std::uint32_t chunk_calls = 64;
    static constexpr std::uint32_t chunks_max = 65'536 / chunk_calls;
    static constexpr std::uint32_t nobody = 0xffff'ffff;
    struct chunk {
        std::array<call, chunk_calls> calls;
        std::array<std::atomic<std::uint32_t>, chunk_calls> next;
    };
    [[nodiscard]] call* slot(std::uint32_t index) const noexcept;
    [[nodiscard]] chunk* chunk_of(std::uint32_t index) const noexcept;
    [[nodiscard]] std::uint32_t pop() noexcept;
    [[nodiscard]] std::uint32_t fresh();

    const std::uint32_t room_;
    std::atomic<std::uint32_t> in_flight_{0};
    std::atomic<std::uint32_t> used_{0};
    std::atomic<std::uint64_t> free_{nobody};  // counter in the upper half against ABA
    std::mutex growing_;
    std::array<std::atomic<chunk*>, chunks_max> chunks_{};
    std::vector<std::unique_ptr<chunk>> owned_;
};

}  // namespace flexcore::plugin
