// held_bytes: what the server keeps in memory for its clients at this moment, over all connections:
// bodies that are still coming or at work, answers that nobody has taken yet.
//
// Why:     each connection has its bounds, but thousands of them at their bounds are more than a
//          machine has.
// Threads: any; a number without order, so the bound may be passed by what is under way.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace flexcore::gateway {

class held_bytes {
public:
    explicit held_bytes(std::size_t most) noexcept : most_{most} {}

    /// Take nothing new that is large.
    [[nodiscard]] bool full() const noexcept { return full_beside(0); }
    /// Also without this share of it.
    [[nodiscard]] bool full_beside(std::size_t share) const noexcept {
        return now() >= most_ + share;
    }
    /// Nor what is small: also the quarter that was left to it is used up. Clients who take their
    /// answers at once need none of it for long.
    [[nodiscard]] bool spent() const noexcept { return now() >= most_ + most_ / 4; }
    /// One holder's share changes; it begins and ends with 0.
    void change(std::size_t from, std::size_t to) noexcept {
        if (from == to) return;
        // Wraps around where it shrinks, and so adds up.
        now_.fetch_add(to - from, std::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t most() const noexcept { return most_; }
    [[nodiscard]] std::size_t now() const noexcept { return now_.load(std::memory_order_relaxed); }

private:
    const std::size_t most_;
    std::atomic<std::size_t> now_{0};
};

/// A share that counts as long as it lives.
[[nodiscard]] inline std::shared_ptr<const void> hold(std::shared_ptr<held_bytes> of,
                                                      std::size_t bytes) {
    struct share {
        share(std::shared_ptr<held_bytes> of_whom, std::size_t count)
            : of{std::move(of_whom)}, bytes{count} {
            of->change(0, bytes);
        }
        share(const share&) = delete;
        share& operator=(const share&) = delete;
        ~share() { of->change(bytes, 0); }
        const std::shared_ptr<held_bytes> of;
        const std::size_t bytes;
    };
    return std::make_shared<const share>(std::move(of), bytes);
}

/// An answer up to here is small.
inline constexpr std::size_t small_answer_bytes_max = 64u << 10;

/// What a request brought up to here is not worth counting when it has left its connection.
inline constexpr std::size_t uncounted_bytes_max = 4096;

/// For bytes of a request that its work took over: they stay until it is done, also when the client
/// has gone. Null for few.
[[nodiscard]] inline std::shared_ptr<const void> hold_at_work(const std::shared_ptr<held_bytes>& of,
                                                              std::size_t bytes) {
    return bytes > uncounted_bytes_max ? hold(of, bytes) : nullptr;
}

}  // namespace flexcore::gateway
