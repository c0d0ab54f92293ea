#include "schema/order.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace flexcore::schema_detail {
namespace {

namespace bj = boost::json;

int rank(const bj::value& v) noexcept {
    switch (v.kind()) {
        case bj::kind::null:
            return 0;
        case bj::kind::bool_:
            return 1;
        case bj::kind::int64:
        case bj::kind::uint64:
        case bj::kind::double_:
            return 2;
        case bj::kind::string:
            return 3;
        case bj::kind::array:
            return 4;
        case bj::kind::object:
            return 5;
    }
    return 6;
}

std::weak_ordering compare_numbers(long double a, long double b) {
    if (a < b) return std::weak_ordering::less;
    return a > b ? std::weak_ordering::greater : std::weak_ordering::equivalent;
}

std::string_view text_of(const bj::string& s) { return {s.data(), s.size()}; }
std::string_view name_of(const bj::key_value_pair& m) { return {m.key().data(), m.key().size()}; }

std::weak_ordering compare_arrays(const bj::array& a, const bj::array& b) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        if (const auto order = compare(a[i], b[i]); order != 0) return order;
    return a.size() <=> b.size();
}

std::vector<const bj::key_value_pair*> sorted_members(const bj::object& o) {
    std::vector<const bj::key_value_pair*> members;
    members.reserve(o.size());
    for (const auto& m : o) members.push_back(&m);
    std::ranges::sort(members, {}, [](const auto* m) { return name_of(*m); });
    return members;
}

std::weak_ordering compare_objects(const bj::object& a, const bj::object& b) {
    if (const auto order = a.size() <=> b.size(); order != 0) return order;
    const auto left = sorted_members(a);
    const auto right = sorted_members(b);
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (const auto order = name_of(*left[i]) <=> name_of(*right[i]); order != 0) return order;
        const auto order = compare(left[i]->value(), right[i]->value());
        if (order != 0) return order;
    }
    return std::weak_ordering::equivalent;
}

}  // namespace

long double number_of(const bj::value& v) noexcept {
    if (const auto* i = v.if_int64()) return static_cast<long double>(*i);
    if (const auto* u = v.if_uint64()) return static_cast<long double>(*u);
    return v.get_double();
}

std::weak_ordering compare(const bj::value& a, const bj::value& b) {
    if (const auto order = rank(a) <=> rank(b); order != 0) return order;
    if (a.is_null()) return std::weak_ordering::equivalent;
    if (a.is_bool()) return a.get_bool() <=> b.get_bool();
    if (a.is_number()) return compare_numbers(number_of(a), number_of(b));
    if (a.is_string()) return text_of(a.get_string()) <=> text_of(b.get_string());
    if (a.is_array()) return compare_arrays(a.get_array(), b.get_array());
    return compare_objects(a.get_object(), b.get_object());
}

bool all_different(const bj::array& elements) {
    std::vector<const bj::value*> sorted;
    sorted.reserve(elements.size());
    for (const auto& e : elements) sorted.push_back(&e);
    std::ranges::sort(sorted, [](const auto* a, const auto* b) { return compare(*a, *b) < 0; });
    return std::ranges::adjacent_find(sorted, [](const auto* a, const auto* b) {
               return compare(*a, *b) == 0;
           }) == sorted.end();
}

}  // namespace flexcore::schema_detail
