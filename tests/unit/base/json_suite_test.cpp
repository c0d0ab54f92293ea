// JSON as RFC 8259 says, on the cases of JSONTestSuite (json_test_suite/): y_ must be accepted, n_
// refused, i_ is left to the parser, and what ours does stands here.
#include "base/json.hpp"
#include "base/names.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using namespace flexcore;
namespace fs = std::filesystem;

struct test_case {
    std::string name;
    std::string text;
};

std::vector<test_case> cases(std::string_view kind) {
    std::vector<test_case> all;
    const fs::path folder =
        fs::path{FLEXCORE_SOURCE_DIR} / "tests" / "unit" / "base" / "json_test_suite" / "cases";
    for (const auto& entry : fs::directory_iterator{folder}) {
        const std::string name = entry.path().stem().string();
        if (!name.starts_with(kind)) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        all.push_back({name, std::string{std::istreambuf_iterator<char>{file}, {}}});
    }
    std::ranges::sort(all, {}, &test_case::name);
    return all;
}

/// Stricter than the RFC asks, and said so in json.hpp: a reader may take either of two members.
constexpr std::array duplicates{std::string_view{"y_object_duplicated_key"},
                                std::string_view{"y_object_duplicated_key_and_value"}};

/// Numbers that a finite double can carry, be it as 0 or rounded. The rest of i_ is refused:
/// infinite numbers, lone surrogates, what is not UTF-8, a byte order mark, 500 levels.
constexpr std::array left_to_us_and_accepted{
    std::string_view{"i_number_double_huge_neg_exp"}, std::string_view{"i_number_real_underflow"},
    std::string_view{"i_number_too_big_neg_int"}, std::string_view{"i_number_too_big_pos_int"},
    std::string_view{"i_number_very_big_negative_int"}};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

TEST_CASE("JSONTestSuite: what must be accepted is, but for duplicate members") {
    const auto all = cases("y_");
    CHECK(all.size() >= 95);
    for (const auto& [name, text] : all) {
        INFO(name);
        const auto valid = json::validate(text);
        CHECK(valid.has_value() != contains(duplicates, name));
        if (!valid) CHECK(valid.error().client.find("twice") != std::string::npos);
        CHECK(json::to_value(text).has_value() == valid.has_value());
    }
}

TEST_CASE("JSONTestSuite: what must be refused is") {
    const auto all = cases("n_");
    CHECK(all.size() >= 188);
    for (const auto& [name, text] : all) {
        INFO(name);
        const auto valid = json::validate(text);
        CHECK_FALSE(valid.has_value());
        CHECK_FALSE(json::to_value(text).has_value());
        if (!valid) CHECK(is_utf8(valid.error().client));
    }
}

TEST_CASE("JSONTestSuite: what is left to the parser goes the documented way") {
    const auto all = cases("i_");
    CHECK(all.size() >= 35);
    for (const auto& [name, text] : all) {
        INFO(name);
        CHECK(json::validate(text).has_value() == contains(left_to_us_and_accepted, name));
        CHECK(json::to_value(text).has_value() == contains(left_to_us_and_accepted, name));
    }
}

TEST_CASE("JSONTestSuite: nesting is the only reason to refuse 500 arrays") {
    for (const auto& [name, text] : cases("i_structure_500_nested_arrays")) {
        INFO(name);
        CHECK(json::validate(text, 500).has_value());
        CHECK(json::validate(text, 499).has_value() == false);
    }
}
