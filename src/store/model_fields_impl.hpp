// The names of a model's indexed fields as a catalogue keeps them: a JSON array.
//
// Threads: free functions without state.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

[[nodiscard]] std::string fields_as_json(const std::vector<std::string>& fields);
/// Corrupt when it is no such array; `where` names the database for the operator.
[[nodiscard]] result<std::vector<std::string>> fields_from_json(std::string_view text,
                                                                std::string_view where);

}  // namespace flexcore::store
