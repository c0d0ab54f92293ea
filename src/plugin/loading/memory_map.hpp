// memory_map: what is mapped in this process, to look at a foreign pointer before following it.
//
// A table that lies can then be refused instead of crashing the server. It is a picture of one
// moment: take a new one after the plugin has run. What the plugin unmaps afterwards is not seen.
// Threads: a value; reading it is safe on any thread.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

class memory_map {
public:
    /// Reads /proc/self/maps. Errors: base_errc::io.
    [[nodiscard]] static result<memory_map> now();

    [[nodiscard]] bool readable(const void*, std::size_t bytes) const noexcept;
    [[nodiscard]] bool executable(const void*) const noexcept;
    /// A NUL-terminated text of at most `bytes_max` bytes that lies wholly in readable memory.
    [[nodiscard]] std::optional<std::string_view> text(const char*,
                                                       std::size_t bytes_max) const noexcept;

private:
    struct range {
        std::uintptr_t begin, end;
        bool readable, executable;
    };
    /// Readable bytes from `at` on, over adjoining ranges.
    [[nodiscard]] std::size_t readable_from(std::uintptr_t at, std::size_t wanted) const noexcept;
    std::vector<range> ranges_;  // ascending
};

}  // namespace flexcore::plugin
