// timer_wheel: coarse deadlines of many connections on one io thread.
//
// Cost:    moving a deadline later is one store: an entry is looked at when its old slot comes
// round
//          and put away again. That is the usual case, since each request pushes it.
// Accuracy: an entry expires up to one `tick` late, never early.
// Threads: one.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstddef>

namespace flexcore::gateway {

class timer_wheel {
public:
    static constexpr monotonic::duration tick = std::chrono::milliseconds{100};

    class entry {
    public:
        entry() = default;
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;
        virtual ~entry() { unlink(); }
        /// Runs once per `set`; the entry may be set again or destroyed inside.
        virtual void expired() = 0;

    private:
        friend class timer_wheel;
        void unlink() noexcept;
        [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
        entry* next_ = nullptr;
        entry* previous_ = nullptr;
        deadline when_ = no_deadline;
        deadline slot_when_ = no_deadline;  ///< when the slot it stands in comes round
    };

    explicit timer_wheel(monotonic::time_point now);
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;
    ~timer_wheel();

    /// `no_deadline` takes the entry out.
    void set(entry&, deadline when) noexcept;
    /// Runs what has expired by `now`.
    void advance(monotonic::time_point now);
    /// Of the last `advance`.
    [[nodiscard]] monotonic::time_point now() const noexcept { return now_; }

private:
    static constexpr std::size_t slots = 512;
    struct ring final : entry {
        void expired() override {}
    };
    static void link(entry& head, entry& what) noexcept;

    std::array<ring, slots> slots_;
    monotonic::time_point begin_, now_;
    std::uint64_t passed_ = 0;  ///< ticks since begin_ that were worked off
};

}  // namespace flexcore::gateway
