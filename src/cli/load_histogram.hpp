// Latencies in buckets of 1.6 % width, from a nanosecond to minutes, without allocation while
// measuring.
//
// Units: nanoseconds in, microseconds out. Threads: one.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace flexcore::cli {

class load_histogram {
public:
    void add(std::uint64_t ns) {
        ++buckets_[bucket_of(ns)];
        ++count_;
        max_ = std::max(max_, ns);
    }
    void add(const load_histogram& other) {
        for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket)
            buckets_[bucket] += other.buckets_[bucket];
        count_ += other.count_;
        max_ = std::max(max_, other.max_);
    }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] double max_us() const { return static_cast<double>(max_) / 1000.0; }
    /// The upper edge of the bucket that holds this part of all values; 0 without values.
    [[nodiscard]] double part_us(double part) const {
        if (count_ == 0) return 0;
        const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(count_ - 1)) + 1;
        std::uint64_t seen = 0;
        for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
            seen += buckets_[bucket];
            if (seen >= wanted)
                return static_cast<double>(std::min(edge_of(bucket), max_)) / 1000.0;
        }
        return max_us();
    }

private:
    static constexpr unsigned fine_bits = 6;  // 64 buckets per power of two
    static std::size_t bucket_of(std::uint64_t ns) {
        if (ns < (1U << fine_bits)) return static_cast<std::size_t>(ns);
        const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - fine_bits - 1;
        return std::min<std::size_t>(
            ((shift + 1U) << fine_bits) + ((ns >> shift) - (1U << fine_bits)), buckets_max - 1);
    }
    static std::uint64_t edge_of(std::size_t bucket) {
        const auto block = static_cast<unsigned>(bucket >> fine_bits);
        const std::uint64_t within = bucket & ((1U << fine_bits) - 1U);
        if (block == 0) return within;
        return ((within + (1U << fine_bits) + 1U) << (block - 1U)) - 1U;
    }
    static constexpr std::size_t buckets_max = std::size_t{40} << fine_bits;
    std::array<std::uint64_t, buckets_max> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace flexcore::cli
