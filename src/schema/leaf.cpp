#include "schema/leaf.hpp"

#include "base/json.hpp"
#include "schema/order.hpp"

#include <fmt/format.h>
#include <re2/re2.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>

namespace flexcore::schema_detail {
namespace {

namespace bj = boost::json;

/// What a message repeats of texts from the schema or the value.
constexpr std::size_t shown_bytes_max = 200;

std::string_view text_of(const bj::string& s) { return {s.data(), s.size()}; }

std::string in_quotes(std::string_view text) {
    std::string out;
    json::append_string(out, text);
    return out;
}

std::string shown(const bj::value& v) {
    if (const auto* d = v.if_double()) return fmt::format("{}", *d);
    std::string text = bj::serialize(v);
    return text.size() <= shown_bytes_max ? text : "the value the schema names";
}

std::string shown(const std::vector<bj::value>& values) {
    std::string out;
    for (const auto& v : values) {
        if (!out.empty()) out += ", ";
        if (out.size() > shown_bytes_max) return out + "…";
        out += shown(v);
    }
    return out;
}

std::string counted(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::uint8_t types_of(const bj::value& v) {
    switch (v.kind()) {
        case bj::kind::null:
            return type_null;
        case bj::kind::bool_:
            return type_boolean;
        case bj::kind::int64:
        case bj::kind::uint64:
            return type_integer | type_number;
        case bj::kind::double_:
            // Draft 7 counts 1.0 as an integer.
            return std::trunc(v.get_double()) == v.get_double() ? type_integer | type_number
                                                                : type_number;
        case bj::kind::string:
            return type_string;
        case bj::kind::array:
            return type_array;
        case bj::kind::object:
            return type_object;
    }
    return 0;
}

std::string shown_types(std::uint8_t types) {
    std::string out;
    for (unsigned bit = 1; bit <= type_object; bit <<= 1) {
        if ((types & bit) == 0) continue;
        if (!out.empty()) out += " or ";
        out += type_with_article(static_cast<type_bit>(bit));
    }
    return out;
}

/// Code points of valid UTF-8: every byte that does not continue one.
std::uint64_t characters_of(std::string_view text) {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_multiple(const bj::value& v, const bj::value& of) {
    if (!v.is_double() && !of.is_double())
        return std::fmod(number_of(v), number_of(of)) == 0;  // exact for 64-bit integers
    // 0.3 / 0.1 is not quite 3 in binary: as near as doubles come is a multiple.
    constexpr long double tolerance = 1e-9L;
    const long double quotient = number_of(v) / number_of(of);
    return std::abs(quotient - std::round(quotient)) <= tolerance;
}

/// Runs the checks of one leaf over one value.
class checker {
public:
    checker(const leaf& l, std::vector<finding>* findings) : leaf_{l}, findings_{findings} {}

    bool run(const bj::value& v) {
        // A value of the wrong kind breaks other rules too: one message is enough.
        if (!check_kind(v)) return false;
        if (v.is_number()) check_number(v);
        if (const auto* s = v.if_string()) check_string(text_of(*s));
        if (const auto* a = v.if_array()) check_array(*a);
        if (const auto* o = v.if_object()) check_object(*o);
        return passed_;
    }

private:
    /// Nobody asks for more than the first failure.
    [[nodiscard]] bool done() const { return !passed_ && findings_ == nullptr; }

    template <class Describe>
    void demand(bool holds, Describe describe) {
        if (holds || done()) return;
        passed_ = false;
        if (findings_ != nullptr) findings_->push_back({std::nullopt, describe()});
    }

    bool check_kind(const bj::value& v) {
        demand(!leaf_.never, [] { return "must not be there"; });
        if (passed_ && leaf_.types != 0)
            demand((types_of(v) & leaf_.types) != 0,
                   [&] { return "must be " + shown_types(leaf_.types); });
        if (passed_ && leaf_.exactly)
            demand(compare(v, *leaf_.exactly) == 0,
                   [&] { return "must be " + shown(*leaf_.exactly); });
        if (passed_ && leaf_.one_of)
            demand(std::ranges::any_of(*leaf_.one_of,
                                       [&](const auto& e) { return compare(v, e) == 0; }),
                   [&] { return "must be one of " + shown(*leaf_.one_of); });
        return passed_;
    }

    void check_number(const bj::value& v) {
        const auto order = [&](const bj::value& limit) { return compare(v, limit); };
        if (const auto& m = leaf_.minimum)
            demand(order(*m) >= 0, [&] { return "must be at least " + shown(*m); });
        if (const auto& m = leaf_.maximum)
            demand(order(*m) <= 0, [&] { return "must be at most " + shown(*m); });
        if (const auto& m = leaf_.above)
            demand(order(*m) > 0, [&] { return "must be greater than " + shown(*m); });
        if (const auto& m = leaf_.below)
            demand(order(*m) < 0, [&] { return "must be less than " + shown(*m); });
        if (const auto& m = leaf_.multiple_of)
            demand(is_multiple(v, *m), [&] { return "must be a multiple of " + shown(*m); });
    }

    void check_size(const size_limits& limits, std::uint64_t size, std::string_view noun) {
        demand(!limits.min || size >= *limits.min,
               [&] { return "must have at least " + counted(*limits.min, noun); });
        demand(!limits.max || size <= *limits.max,
               [&] { return "must have at most " + counted(*limits.max, noun); });
    }

    void check_string(std::string_view text) {
        if (leaf_.characters.min || leaf_.characters.max)
            check_size(leaf_.characters, characters_of(text), "character");
        if (leaf_.pattern && !done())
            demand(
                re2::RE2::PartialMatch(re2::StringPiece{text.data(), text.size()}, *leaf_.pattern),
                [&] { return "must match the pattern " + leaf_.pattern_text; });
        if (leaf_.checked_format != nullptr && !done())
            demand(leaf_.checked_format->matches(text),
                   [&] { return "must be " + std::string{leaf_.checked_format->must_be}; });
    }

    void check_array(const bj::array& elements) {
        check_size(leaf_.elements, elements.size(), "element");
        if (leaf_.unique_elements && !done())
            demand(all_different(elements), [] { return "must not hold equal elements"; });
    }

    void check_object(const bj::object& o) {
        check_size(leaf_.members, o.size(), "member");
        for (const auto& name : leaf_.required)
            demand(o.contains(name),
                   [&] { return "the member " + in_quotes(name) + " is required"; });
        for (const auto& [name, others] : leaf_.dependencies) {
            if (!o.contains(name)) continue;
            for (const auto& other : others)
                demand(o.contains(other), [&] {
                    return "the member " + in_quotes(other) + " is required when " +
                           in_quotes(name) + " is there";
                });
        }
        if (leaf_.only_members || leaf_.name_accepted)
            for (const auto& m : o) check_name({m.key().data(), m.key().size()});
    }

    void check_name(std::string_view name) {
        const auto refuse = [&](std::string_view detail) {
            passed_ = false;
            if (findings_ != nullptr)
                findings_->push_back({std::string{name}, std::string{detail}});
        };
        if (done()) return;
        if (leaf_.only_members && !std::ranges::binary_search(*leaf_.only_members, name)) {
            refuse("is not a known member");
        } else if (leaf_.name_accepted && !leaf_.name_accepted(bj::value(name))) {
            refuse("has a name that is not allowed");
        }
    }

    const leaf& leaf_;
    std::vector<finding>* findings_;
    bool passed_ = true;
};

}  // namespace

bool passes(const leaf& l, const bj::value& v, std::vector<finding>* findings) {
    return checker{l, findings}.run(v);
}

}  // namespace flexcore::schema_detail
