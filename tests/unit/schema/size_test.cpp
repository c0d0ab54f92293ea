// What large or hostile values must not do: overflow the stack, take minutes, eat the memory.
#include "check.hpp"

#include <chrono>

using namespace flexcore;

namespace {

/// Generous for a sanitizer on a slow machine; what these tests guard against takes hours.
constexpr std::chrono::seconds quick{60};

std::size_t violations_in_time(const schema& s, const boost::json::value& v) {
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t count = s.validate(v).size();
    CHECK(std::chrono::steady_clock::now() - begin < quick);
    return count;
}

}  // namespace

TEST_CASE("schema: a string of 10 MB against pattern and every format") {
    const boost::json::value text(std::string(10'000'000, 'a'));
    CHECK(violations_in_time(compiled(R"({"pattern":"^(a|b)*$"})"), text) == 0);
    CHECK(violations_in_time(compiled(R"({"pattern":"^(a+)+$"})"), text) == 0);
    CHECK(violations_in_time(compiled(R"({"pattern":"^(a*)*b$"})"), text) == 1);
    CHECK(violations_in_time(compiled(R"({"pattern":"(x+x+)+y"})"), text) == 1);
    for (const char* format :
         {"date-time", "date", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"}) {
        INFO(format);
        CHECK(violations_in_time(compiled("{\"format\":\"" + std::string{format} + "\"}"), text) ==
              1);
    }
    const boost::json::value digits("2026-11-22T10:00:00." + std::string(10'000'000, '1') + "Z");
    CHECK(violations_in_time(compiled(R"({"format":"date-time"})"), digits) == 1);
}

TEST_CASE("schema: equal elements among very many are found without comparing all pairs") {
    boost::json::array numbers;
    for (int i = 0; i < 200'000; ++i) numbers.emplace_back(i);
    const schema s = compiled(R"({"uniqueItems":true})");
    CHECK(violations_in_time(s, boost::json::value(numbers)) == 0);
    numbers.emplace_back(7.0);
    CHECK(violations_in_time(s, boost::json::value(numbers)) == 1);
}

TEST_CASE("schema: an array of very many wrong elements gives 20 violations, not a huge list") {
    const boost::json::value many(boost::json::array(300'000, nullptr));
    CHECK(violations_in_time(compiled(R"({"items":{"type":"string"}})"), many) == 20);
    CHECK(violations_in_time(compiled(R"({"items":{"not":{}}})"), many) == 20);
    CHECK(violations_in_time(compiled(R"({"items":{"contains":false,"type":["null","array"]}})"),
                             boost::json::value(boost::json::array(
                                 100'000, boost::json::value(boost::json::array{})))) == 20);
    // Inside alternatives the list is thrown away with the walk: the answer is still "no".
    CHECK(violations_in_time(
              compiled(R"({"anyOf":[{"items":{"type":"string"}},{"type":"object"}]})"), many) >= 1);
}
