// bytes_arena: owns copies of small texts so that requests can carry plain views.
//
// Lifetime: every returned view is valid as long as the arena; nothing is freed singly.
// Threads:  one thread fills it; once filled it may be read from any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <string_view>

namespace flexcore {

class bytes_arena {
public:
    explicit bytes_arena(std::size_t first_block_bytes = 512) : resource_{first_block_bytes} {}
    bytes_arena(const bytes_arena&) = delete;
    bytes_arena& operator=(const bytes_arena&) = delete;

    [[nodiscard]] std::string_view keep(std::string_view text);
    /// Room for `size` bytes the caller fills in.
    [[nodiscard]] char* allocate(std::size_t size);
    /// Bytes handed out so far.
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

private:
    std::pmr::monotonic_buffer_resource resource_;
    std::size_t used_ = 0;
};

}  // namespace flexcore
