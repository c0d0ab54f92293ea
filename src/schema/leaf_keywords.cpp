#include "schema/leaf.hpp"
#include "schema/order.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>

namespace flexcore::schema_detail {
namespace {

namespace bj = boost::json;

/// Memory one pattern may use for its compiled form and its caches.
constexpr std::int64_t pattern_bytes_max = 4 << 20;

struct named_type {
    std::string_view name;
    std::string_view with_article;
    type_bit bit;
};
constexpr std::array<named_type, 7> named_types{{
    {"null", "null", type_null},
    {"boolean", "a boolean", type_boolean},
    {"integer", "an integer", type_integer},
    {"number", "a number", type_number},
    {"string", "a string", type_string},
    {"array", "an array", type_array},
    {"object", "an object", type_object},
}};

std::string_view text_of(const bj::value& v) {
    return {v.get_string().data(), v.get_string().size()};
}

void read_type(const bj::value& v, leaf& out, std::string& why) {
    const auto add = [&](const bj::value& name) {
        const auto type = name.is_string() ? type_named(text_of(name)) : std::nullopt;
        if (type) {
            out.types |= *type;
        } else {
            why = "names a type that draft 7 does not know";
        }
    };
    if (const auto* names = v.if_array()) {
        if (names->empty()) why = "must name a type";
        for (const auto& name : *names) add(name);
    } else {
        add(v);
    }
}

void read_names(const bj::value& v, std::vector<std::string>& out, std::string& why) {
    const auto* names = v.if_array();
    if (names == nullptr || !std::ranges::all_of(*names, &bj::value::is_string)) {
        why = "must be an array of strings";
        return;
    }
    for (const auto& name : *names) out.emplace_back(text_of(name));
}

void read_number(const bj::value& v, std::optional<bj::value>& out, std::string& why) {
    if (v.is_number()) {
        out = v;
    } else {
        why = "must be a number";
    }
}

void read_size(const bj::value& v, std::optional<std::uint64_t>& out, std::string& why) {
    constexpr long double largest = 9007199254740992.0L;  // 2^53: exact in every number type
    const long double size = v.is_number() ? number_of(v) : -1;
    if (size < 0 || size > largest ||
        size != static_cast<long double>(static_cast<std::uint64_t>(size))) {
        why = "must be a whole number that is not negative";
        return;
    }
    out = static_cast<std::uint64_t>(size);
}

void read_pattern(const bj::value& v, leaf& out, std::string& why) {
    if (!v.is_string()) {
        why = "must be a string";
        return;
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(pattern_bytes_max);
    out.pattern_text = text_of(v);
    auto compiled = std::make_shared<const re2::RE2>(out.pattern_text, options);
    if (compiled->ok()) {
        out.pattern = std::move(compiled);
    } else {
        why = "cannot be checked by RE2 (" + compiled->error() + ")";
    }
}

void read_format(const bj::value& v, leaf& out, std::string& why) {
    if (v.is_string()) {
        out.checked_format = find_format(text_of(v));
    } else {
        why = "must be a string";
    }
}

void read_enum(const bj::value& v, leaf& out, std::string& why) {
    if (const auto* values = v.if_array(); values != nullptr && !values->empty()) {
        out.one_of.emplace(values->begin(), values->end());
    } else {
        why = "must be an array with at least one value";
    }
}

void read_unique(const bj::value& v, leaf& out, std::string& why) {
    if (v.is_bool()) {
        out.unique_elements = v.get_bool();
    } else {
        why = "must be a boolean";
    }
}

void read_multiple(const bj::value& v, leaf& out, std::string& why) {
    if (v.is_number() && number_of(v) > 0) {
        out.multiple_of = v;
    } else {
        why = "must be a number above 0";
    }
}

struct keyword {
    std::string_view name;
    void (*read)(const bj::value&, leaf&, std::string& why);
};
// clang-format off
constexpr std::array<keyword, 18> keywords{{
    {"type", read_type},
    {"enum", read_enum},
    {"const", [](const bj::value& v, leaf& out, std::string&) { out.exactly = v; }},
    {"minimum", [](const bj::value& v, leaf& out, std::string& why) { read_number(v, out.minimum, why); }},
    {"maximum", [](const bj::value& v, leaf& out, std::string& why) { read_number(v, out.maximum, why); }},
    {"exclusiveMinimum", [](const bj::value& v, leaf& out, std::string& why) { read_number(v, out.above, why); }},
    {"exclusiveMaximum", [](const bj::value& v, leaf& out, std::string& why) { read_number(v, out.below, why); }},
    {"multipleOf", read_multiple},
    {"minLength", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.characters.min, why); }},
    {"maxLength", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.characters.max, why); }},
    {"pattern", read_pattern},
    {"format", read_format},
    {"minItems", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.elements.min, why); }},
    {"maxItems", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.elements.max, why); }},
    {"uniqueItems", read_unique},
    {"minProperties", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.members.min, why); }},
    {"maxProperties", [](const bj::value& v, leaf& out, std::string& why) { read_size(v, out.members.max, why); }},
    {"required", [](const bj::value& v, leaf& out, std::string& why) { read_names(v, out.required, why); }},
}};
// clang-format on

}  // namespace

bool read_leaf_keyword(std::string_view name, const bj::value& value, leaf& out, std::string& why) {
    const auto found = std::ranges::find(keywords, name, &keyword::name);
    if (found == keywords.end()) return false;
    found->read(value, out, why);
    return true;
}

std::optional<type_bit> type_named(std::string_view name) noexcept {
    const auto found = std::ranges::find(named_types, name, &named_type::name);
    if (found == named_types.end()) return std::nullopt;
    return found->bit;
}

std::string_view type_with_article(type_bit bit) noexcept {
    const auto found = std::ranges::find(named_types, bit, &named_type::bit);
    return found == named_types.end() ? "" : found->with_article;
}

}  // namespace flexcore::schema_detail
