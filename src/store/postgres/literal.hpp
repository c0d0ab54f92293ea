// literal: values written into the text of a statement, for statements that go several at once.
//
// Source:  PostgreSQL 15, 4.1.2.1 "String Constants" (standard_conforming_strings=on, which every
//          session of ours sets), 8.4.1 "bytea Hex Format".
// Threads: free functions without state.
#pragma once

#include "base/names.hpp"

#include <string>
#include <string_view>

namespace flexcore::store::postgres {

/// Whether a column of type text can hold it.
[[nodiscard]] inline bool is_storable(std::string_view text) noexcept {
    return !text.contains('\0') && is_utf8(text);
}

/// 'text'; `text` is storable.
[[nodiscard]] inline std::string literal(std::string_view text) {
    std::string out = "'";
    for (const char c : text) out.append(c == '\'' ? 2 : 1, c);
    return out += '\'';
}

/// \x0a1b: bytes as a parameter or an element of an array.
[[nodiscard]] inline std::string bytes_text(std::string_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\\x";
    out.reserve(2 + 2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

[[nodiscard]] inline std::string bytes_literal(std::string_view bytes) {
    return "'" + bytes_text(bytes) + "'::bytea";
}

}  // namespace flexcore::store::postgres
