#include "program.hpp"

#include "support/server.hpp"

#include <boost/json/parse.hpp>

#include <sstream>

namespace flexcore::test {

finished cli(std::vector<std::string> args, std::string input,
             std::map<std::string, std::string> env) {
    return run(flexcore_program(), {std::move(args), std::move(env), {}, std::move(input)},
               std::chrono::seconds{60});
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + part.size()))
        ++count;
    return count;
}

std::vector<boost::json::value> json_lines(const std::string& text) {
    std::vector<boost::json::value> all;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) all.push_back(boost::json::parse(line));
    return all;
}

}  // namespace flexcore::test
