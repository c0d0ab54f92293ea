// json_grammar: RFC 8259 by the book, a second opinion beside the parser that the server uses.
//
// Says nothing about duplicate members, depth or the size of numbers.
// Threads: a free function without state.
#pragma once

#include <string_view>

namespace flexcore::fuzz {

/// Whether `text` is one JSON text: grammar, UTF-8 and paired surrogates.
[[nodiscard]] bool is_json(std::string_view text);

}  // namespace flexcore::fuzz
