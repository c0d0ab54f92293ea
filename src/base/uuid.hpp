// uuid: 128-bit identifiers; made here as version 7 (time-ordered), accepted in any version.
//
// Source:  RFC 9562. `uuid_source` follows its method 1 (monotonic counter within a millisecond),
//          so that ids made by one source ascend strictly and index pages fill at their end.
// Threads: `uuid` is a value. `uuid_v7()` may be called on any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore {

struct uuid {
    std::array<std::uint8_t, 16> bytes{};  ///< network order; all zero is "nil", never a real id

    [[nodiscard]] bool is_nil() const noexcept { return *this == uuid{}; }
    [[nodiscard]] std::string to_string() const;  ///< 36 characters, lower case
    void write_to(char* out36) const noexcept;    ///< the same, into 36 bytes, no NUL
    friend auto operator<=>(const uuid&, const uuid&) = default;
};

/// The 8-4-4-4-12 form, either case; nothing else. Nil is refused.
[[nodiscard]] std::optional<uuid> parse_uuid(std::string_view text) noexcept;

/// A fresh version 7 id; strictly above every earlier one made by this process.
[[nodiscard]] uuid uuid_v7();

struct uuid_hash {
    [[nodiscard]] std::size_t operator()(const uuid& id) const noexcept;
};

}  // namespace flexcore
