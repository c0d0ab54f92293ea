#include "store/postgres/view_value.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cmath>

namespace flexcore::store::postgres {
namespace {

constexpr char null_kind = '\x01';
constexpr char negative_kind = first_number;
constexpr char zero_kind = '\x03';
constexpr char positive_kind = '\x04';
constexpr char text_kind = first_text;

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        out += static_cast<char>(value >> shift & 0xff);
    }
}

/// magnitude = (1 + fraction / 2^64) * 2^exponent, exactly, for every integer and every double.
std::string number_bytes(bool negative, int exponent, std::uint64_t fraction) {
    constexpr int bias = 2'000;  // the least double has exponent -1074
    auto high = static_cast<unsigned>(exponent + bias);
    if (negative) {
        high = ~high;
        fraction = ~fraction;
    }
    std::string out{negative ? negative_kind : positive_kind};
    append_big_endian(out, high & 0xffff, 2);
    append_big_endian(out, fraction, 8);
    return out;
}

std::string integer_bytes(std::int64_t value) {
    if (value == 0) return {zero_kind};
    const bool negative = value < 0;
    const auto bits = static_cast<std::uint64_t>(value);
    const std::uint64_t magnitude = negative ? 0 - bits : bits;
    const int exponent = 63 - std::countl_zero(magnitude);
    return number_bytes(negative, exponent, exponent == 0 ? 0 : magnitude << (64 - exponent));
}

std::string real_bytes(double value) {
    if (value == 0) return {zero_kind};
    int exponent = 0;
    const double half_to_one = std::frexp(std::fabs(value), &exponent);
    const double rest = half_to_one * 2 - 1;  // exact, as is what follows: 52 bits at the most
    return number_bytes(value < 0, exponent - 1,
                        static_cast<std::uint64_t>(std::ldexp(rest, 53)) << 11);
}

std::string text_bytes(const std::string& text) {
    std::string out{text_kind};
    if (text.size() <= text_bytes_max) return out += text;
    out.append(text, 0, text_bytes_max);
    const auto hash = XXH3_128bits(text.data(), text.size());
    append_big_endian(out, hash.high64, 8);
    append_big_endian(out, hash.low64, 8);
    return out;
}

}  // namespace

std::string column_bytes(const scalar& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return integer_bytes(*integer);
    if (const auto* number = std::get_if<double>(&value)) return real_bytes(*number);
    if (const auto* text = std::get_if<std::string>(&value)) return text_bytes(*text);
    return {null_kind};
}

}  // namespace flexcore::store::postgres
