// The executable's sub-commands, run to their end.
#pragma once

#include "support/process.hpp"

#include <boost/json/value.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::test {

[[nodiscard]] finished cli(std::vector<std::string> args, std::string input = {},
                           std::map<std::string, std::string> env = {});

[[nodiscard]] bool contains(std::string_view text, std::string_view part);
[[nodiscard]] std::size_t count_of(std::string_view text, std::string_view part);
/// Each line as JSON; throws when one is not.
[[nodiscard]] std::vector<boost::json::value> json_lines(const std::string& text);

}  // namespace flexcore::test
