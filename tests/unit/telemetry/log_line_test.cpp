#include "telemetry/log_line.hpp"

#include "base/json.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace flexcore;
using namespace flexcore::telemetry;

namespace {

constexpr unix_us time_of_test = 1'795'341'600'123'456;

std::string json_line(std::string_view message, std::initializer_list<field> fields) {
    std::string out;
    append_json_line(out, {time_of_test, level::warn, "store", message, fields});
    return out;
}

std::string text_line(std::string_view message, std::initializer_list<field> fields,
                      bool colour = false) {
    std::string out;
    append_text_line(out, {time_of_test, level::warn, "store", message, fields}, colour);
    return out;
}

}  // namespace

TEST_CASE("log line: JSON with time, level, logger, message and fields in their order") {
    CHECK(
        json_line("disk slow", {{"stream", std::string_view{"a\"b"}},
                                {"position", std::uint64_t{7}},
                                {"delta", std::int64_t{-3}},
                                {"seconds", 0.25},
                                {"again", true}}) ==
        R"({"ts":"2026-11-22T10:00:00.123456Z","level":"warn","logger":"store","msg":"disk slow",)"
        R"("stream":"a\"b","position":7,"delta":-3,"seconds":0.25,"again":true})");
}

TEST_CASE("log line: JSON is valid whatever bytes come") {
    std::string all_bytes;
    for (int c = 0; c < 256; ++c) all_bytes += static_cast<char>(c);
    for (const double number :
         {0.0, 1e300, 5e-324, std::nan(""), std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity()}) {
        const std::string line =
            json_line(all_bytes, {{all_bytes, std::string_view{all_bytes}}, {"number", number}});
        CHECK(json::validate(line));
        CHECK(line.find('\n') == std::string::npos);
    }
    CHECK(json_line("a\xFFz", {}).find("\"msg\":\"a\xEF\xBF\xBDz\"") != std::string::npos);
}

TEST_CASE("log line: text is one line for a person") {
    CHECK(text_line("disk slow", {{"file", std::string_view{"a b"}},
                                  {"name", std::string_view{"plain"}},
                                  {"empty", std::string_view{}},
                                  {"ms", std::uint64_t{12}}}) ==
          "2026-11-22T10:00:00.123456Z WARN  store disk slow file=\"a b\" name=plain empty=\"\" "
          "ms=12");
}

TEST_CASE("log line: text lets no foreign control character through to the terminal") {
    const std::string evil =
        "x\n2026 ERROR forged\x1b[2J\x7f\xC2\x9B"
        "31m\xFF";
    const std::string line = text_line(evil, {{"k\n", std::string_view{evil}}});
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        CHECK(byte >= 0x20);
        CHECK(byte != 0x7F);
    }
    CHECK(line.find("\xC2\x9B") == std::string::npos);
    CHECK(line.find("\\n2026 ERROR forged\\u001b[2J\\u007f\\u009b31m\xEF\xBF\xBD") !=
          std::string::npos);
}

TEST_CASE("log line: text is coloured only when asked") {
    CHECK(text_line("m", {{"k", true}}).find('\x1b') == std::string::npos);
    const std::string coloured = text_line("m", {{"k", true}}, true);
    CHECK(coloured.find("\x1b[33mWARN \x1b[0m") != std::string::npos);
    CHECK(coloured.ends_with("=\x1b[0mtrue"));
}
