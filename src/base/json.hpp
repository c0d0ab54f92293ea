// JSON as bytes: validated once by Boost.JSON's parser, then sliced, never printed again.
//
// Why:     payloads are stored and answered as the bytes that came in ("1.0" stays "1.0").
// Refused: what RFC 8259 refuses; invalid UTF-8 and lone surrogates; duplicate members, at every
//          depth; nesting beyond the limit; numbers no finite double can carry.
// Errors:  base_errc::invalid_json, the text naming the byte offset.
// Threads: free functions without state.
#pragma once

#include "base/result.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::json {

inline constexpr std::size_t depth_max_default = 64;

enum class kind : std::uint8_t { null, boolean, number, string, array, object };

/// Checks that `text` is exactly one JSON value (white space around it allowed).
[[nodiscard]] result<void> validate(std::string_view text,
                                    std::size_t depth_max = depth_max_default);

/// A value inside validated text: its exact bytes without surrounding white space.
/// All functions below require text that `validate` accepted; anything else is undefined.
struct slice {
    std::string_view text;

    [[nodiscard]] kind type() const noexcept;
    [[nodiscard]] bool is_null() const noexcept { return type() == kind::null; }
    /// The unescaped string; requires type() == string. Points into `text` when nothing is
    /// escaped, otherwise into `scratch`.
    [[nodiscard]] std::string_view string(std::string& scratch) const;
    [[nodiscard]] std::string string() const;
    /// The integer, when it is a number written without fraction or exponent and fits.
    [[nodiscard]] std::optional<std::int64_t> integer() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> unsigned_integer() const noexcept;
    [[nodiscard]] std::optional<bool> boolean() const noexcept;
};

struct member {
    std::string_view raw_name;  ///< between the quotes, still escaped
    slice value;
    [[nodiscard]] bool named(std::string_view plain) const;  ///< compares the unescaped name
    [[nodiscard]] std::string name() const;
};

/// Members in order of appearance; requires an object. Appends to nothing else: `out` is cleared.
void members_of(slice object, std::vector<member>& out);
/// Elements in order; requires an array. `out` is cleared.
void elements_of(slice array, std::vector<slice>& out);

/// Validates and gives the outermost value. The slice points into `text`.
[[nodiscard]] result<slice> parse(std::string_view text, std::size_t depth_max = depth_max_default);

/// Validates (also for duplicates) and builds a Boost.JSON value, for schema checks and settings.
[[nodiscard]] result<boost::json::value> to_value(std::string_view text,
                                                  std::size_t depth_max = depth_max_default);

/// Appends `text` as a JSON string with its quotes. `text` must be UTF-8.
void append_string(std::string& out, std::string_view text);
void append_number(std::string& out, std::uint64_t value);
void append_number(std::string& out, std::int64_t value);

}  // namespace flexcore::json
