#include "base/uuid.hpp"

#include "base/check.hpp"
#include "base/clock.hpp"

#include <sys/random.h>

#include <atomic>
#include <cstring>

namespace flexcore {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

constexpr bool dash_before(std::size_t byte_index) {
    return byte_index == 4 || byte_index == 6 || byte_index == 8 || byte_index == 10;
}

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Random bytes of the kernel, fetched in blocks: two system calls per 64 ids.
std::uint64_t random_u64() {
    struct block {
        std::array<std::uint64_t, 64> words{};
        std::size_t next = 64;
    };
    thread_local block random;
    if (random.next == random.words.size()) {
        // Requests of up to 256 bytes are never cut short.
        constexpr std::size_t half = 256;
        auto* bytes = reinterpret_cast<char*>(random.words.data());
        for (std::size_t at = 0; at < sizeof(random.words); at += half)
            FLEXCORE_CHECK(::getrandom(bytes + at, half, 0) == static_cast<ssize_t>(half));
        random.next = 0;
    }
    return random.words[random.next++];
}

/// Unix milliseconds in the upper 48 bits, a counter in the lower 12; ascends strictly over all
/// threads. A clock that stands still or steps back makes the counter run on, over into the
/// milliseconds when it must: the order matters more than the exact time (RFC 9562, 6.2).
std::uint64_t next_tick() noexcept {
    static std::atomic<std::uint64_t> last{0};
    const auto ms = static_cast<std::uint64_t>(now_unix_us() / 1000);
    std::uint64_t seen = last.load(std::memory_order_relaxed);
    std::uint64_t next = 0;
    do {
        next = (seen >> 12) >= ms ? seen + 1 : ms << 12;
    } while (!last.compare_exchange_weak(seen, next, std::memory_order_relaxed));
    return next;
}

void write_big_endian(std::uint64_t value, std::uint8_t* out) noexcept {
    for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

}  // namespace

void uuid::write_to(char* out36) const noexcept {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (dash_before(i)) *out36++ = '-';
        *out36++ = hex_digits[bytes[i] >> 4];
        *out36++ = hex_digits[bytes[i] & 15];
    }
}

std::string uuid::to_string() const {
    std::string out(36, '\0');
    write_to(out.data());
    return out;
}

std::optional<uuid> parse_uuid(std::string_view text) noexcept {
    if (text.size() != 36) return std::nullopt;
    uuid id;
    const char* in = text.data();
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (dash_before(i) && *in++ != '-') return std::nullopt;
        const int high = hex_value(*in++);
        const int low = hex_value(*in++);
        if (high < 0 || low < 0) return std::nullopt;
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (id.is_nil()) return std::nullopt;
    return id;
}

uuid uuid_v7() {
    const std::uint64_t tail = random_u64();
    const std::uint64_t tick = next_tick();
    uuid id;
    write_big_endian((tick >> 12) << 16 | 0x7000 | (tick & 0xFFF), id.bytes.data());
    write_big_endian((tail >> 2) | 0x8000'0000'0000'0000, id.bytes.data() + 8);
    return id;
}

std::size_t uuid_hash::operator()(const uuid& id) const noexcept {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, id.bytes.data(), 8);
    std::memcpy(&low, id.bytes.data() + 8, 8);
    // Clients may send ids that are not random: mix, do not just take one half.
    std::uint64_t mixed = (high ^ (low * 0x9E37'79B9'7F4A'7C15)) * 0xBF58'476D'1CE4'E5B9;
    return mixed ^ (mixed >> 32);
}

}  // namespace flexcore
