// places: a bound on what may be under way at once.
//
// Threads:  any.
// Lifetime: the places outlive what is taken of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace flexcore::gateway {

class places {
public:
    explicit places(std::size_t most) noexcept : most_{most} {}
    places(const places&) = delete;
    places& operator=(const places&) = delete;

    /// A place; given back when destroyed, however the work ends.
    class held {
    public:
        held() = default;
        held(held&& from) noexcept : of_{std::exchange(from.of_, nullptr)} {}
        held& operator=(held&& from) noexcept {
            std::swap(of_, from.of_);
            return *this;
        }
        ~held() {
            if (of_ != nullptr) of_->taken_.fetch_sub(1, std::memory_order_relaxed);
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }

    private:
        friend class places;
        explicit held(places* of) noexcept : of_{of} {}
        places* of_ = nullptr;
    };

    /// An empty one when all are taken: answer busy.
    [[nodiscard]] held take() noexcept {
        if (taken_.fetch_add(1, std::memory_order_relaxed) < most_) return held{this};
        taken_.fetch_sub(1, std::memory_order_relaxed);
        return held{};
    }
    [[nodiscard]] std::size_t taken() const noexcept {
        return taken_.load(std::memory_order_relaxed);
    }

private:
    const std::size_t most_;
    std::atomic<std::size_t> taken_{0};
};

}  // namespace flexcore::gateway
