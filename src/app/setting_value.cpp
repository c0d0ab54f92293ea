// Values of settings: from text, to text, within their limits.
#include "app/setting_table.hpp"
#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace flexcore::app {
namespace {

struct unit {
    std::string_view name;
    std::int64_t factor;
};
// Largest first: printing takes the first that divides without rest.
constexpr std::array size_units{unit{"GiB", 1LL << 30}, unit{"MiB", 1LL << 20},
                                unit{"KiB", 1LL << 10}, unit{"B", 1}};
constexpr std::array time_units{unit{"h", 3'600'000}, unit{"min", 60'000}, unit{"s", 1'000},
                                unit{"ms", 1}};

template <std::size_t N>
std::string with_unit(std::int64_t value, const std::array<unit, N>& units) {
    for (const unit& u : units)
        if (value != 0 && value % u.factor == 0)
            return fmt::format("{}{}", value / u.factor, u.name);
    return fmt::format("0{}", units.back().name);
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::unexpected<error> refused(const setting& s, std::string_view text) {
    return fail(base_errc::invalid_argument,
                fmt::format("{} must be {}, not \"{}\"", s.key, expectation(s), text));
}

template <std::size_t N>
std::optional<std::int64_t> factor_of(std::string_view name, const std::array<unit, N>& units) {
    for (const unit& u : units)
        if (u.name == name) return u.factor;
    return std::nullopt;
}

result<setting_value> number(const setting& s, std::string_view whole) {
    const std::string_view text = trimmed(whole);
    std::int64_t value = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc{}) return refused(s, whole);
    const std::string_view suffix =
        trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
    if (!suffix.empty()) {
        std::optional<std::int64_t> factor;
        if (s.kind == setting_kind::bytes) factor = factor_of(suffix, size_units);
        if (s.kind == setting_kind::milliseconds) factor = factor_of(suffix, time_units);
        if (!factor || __builtin_mul_overflow(value, *factor, &value)) return refused(s, whole);
    }
    if (value < s.min || value > s.max) return refused(s, whole);
    return value;
}

std::string basic_string(std::string_view text) {
    // A TOML basic string escapes like JSON does.
    std::string out;
    json::append_string(out, text);
    return out;
}

std::vector<std::string> parts_of(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view part = trimmed(text.substr(0, comma));
        if (!part.empty()) parts.emplace_back(part);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return parts;
}

}  // namespace

std::string amount_as_text(const setting& s, std::int64_t value) {
    if (s.kind == setting_kind::bytes) return with_unit(value, size_units);
    if (s.kind == setting_kind::milliseconds) return with_unit(value, time_units);
    return fmt::format("{}", value);
}

std::string expectation(const setting& s) {
    switch (s.kind) {
        case setting_kind::text:
            return "a text";
        case setting_kind::boolean:
            return "true or false";
        case setting_kind::choice:
            return fmt::format("one of {}", fmt::join(s.choices, ", "));
        case setting_kind::integer:
            return fmt::format("an integer from {} to {}", s.min, s.max);
        case setting_kind::bytes:
            return fmt::format("a size from {} to {} (bytes, or a text like \"4MiB\")",
                               amount_as_text(s, s.min), amount_as_text(s, s.max));
        case setting_kind::milliseconds:
            return fmt::format(
                "a duration from {} to {} (milliseconds, or a text like \"500ms\", \"30s\")",
                amount_as_text(s, s.min), amount_as_text(s, s.max));
        case setting_kind::list:
            return "a list of texts";
        case setting_kind::plugins:
            return "a list of tables {file = \"…\", config = {…}}";
    }
    return {};
}

result<setting_value> value_from_integer(const setting& s, std::int64_t value) {
    const bool numeric = s.kind == setting_kind::integer || s.kind == setting_kind::bytes ||
                         s.kind == setting_kind::milliseconds;
    if (!numeric)
        return fail(base_errc::invalid_argument,
                    fmt::format("{} must be {}, not the number {}", s.key, expectation(s), value));
    if (value < s.min || value > s.max) return refused(s, fmt::format("{}", value));
    return value;
}

result<setting_value> value_from_text(const setting& s, std::string_view text) {
    switch (s.kind) {
        case setting_kind::text:
            return std::string{text};
        case setting_kind::choice:
            for (const std::string& choice : s.choices)
                if (choice == text) return choice;
            return refused(s, text);
        case setting_kind::boolean:
            if (text == "true" || text == "1") return true;
            if (text == "false" || text == "0") return false;
            return refused(s, text);
        case setting_kind::integer:
        case setting_kind::bytes:
        case setting_kind::milliseconds:
            return number(s, text);
        case setting_kind::list:
            return parts_of(text);
        case setting_kind::plugins: {
            std::vector<plugin_entry> entries;
            for (std::string& file : parts_of(text)) entries.push_back({std::move(file), {}});
            return entries;
        }
    }
    return refused(s, text);
}

std::string value_as_toml(const setting& s, const setting_value& value) {
    switch (s.kind) {
        case setting_kind::text:
        case setting_kind::choice:
            return basic_string(std::get<std::string>(value));
        case setting_kind::boolean:
            return std::get<bool>(value) ? "true" : "false";
        case setting_kind::integer:
            return fmt::format("{}", std::get<std::int64_t>(value));
        case setting_kind::bytes:
        case setting_kind::milliseconds:
            return basic_string(amount_as_text(s, std::get<std::int64_t>(value)));
        case setting_kind::list: {
            std::vector<std::string> parts;
            for (const std::string& part : std::get<std::vector<std::string>>(value))
                parts.push_back(basic_string(part));
            return fmt::format("[{}]", fmt::join(parts, ", "));
        }
        case setting_kind::plugins: {
            std::vector<std::string> parts;
            for (const plugin_entry& entry : std::get<std::vector<plugin_entry>>(value))
                parts.push_back(fmt::format("{{ file = {} }}", basic_string(entry.file.string())));
            return fmt::format("[{}]", fmt::join(parts, ", "));
        }
    }
    return {};
}

std::string mask_url(std::string_view url) {
    std::string masked{url};
    // Up to the last '@': a secret that was not percent-encoded may hold any character.
    const std::size_t scheme = masked.find("://");
    const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
    const std::size_t at = masked.rfind('@');
    const std::size_t colon = masked.find(':', begin);
    if (at != std::string::npos && colon < at) masked.replace(colon + 1, at - colon - 1, "***");
    // PostgreSQL also takes it as a parameter (password, sslpassword).
    constexpr std::string_view parameter = "password=";
    for (std::size_t found = masked.find(parameter); found != std::string::npos;) {
        const std::size_t value = found + parameter.size();
        masked.replace(value, std::min(masked.find('&', value), masked.size()) - value, "***");
        found = masked.find(parameter, value);
    }
    return masked;
}

}  // namespace flexcore::app
