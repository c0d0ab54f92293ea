#include "store/event.hpp"

#include "base/names.hpp"

#include <algorithm>

namespace flexcore::store {
namespace {

template <class List, class Text>
bool contains(const List& list, const Text& text) noexcept {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool holds(const selector_clause& clause, const recorded_event& event) noexcept {
    if (!clause.types.empty() && !contains(clause.types, event.type)) return false;
    if (!clause.categories.empty() && !contains(clause.categories, category_of(event.stream))) {
        return false;
    }
    if (!event.stream.starts_with(clause.stream_prefix)) return false;
    return std::all_of(clause.tags.begin(), clause.tags.end(),
                       [&](const std::string& tag) { return contains(event.tags, tag); });
}

}  // namespace

bool matches(const selector& what, const recorded_event& event) noexcept {
    return what.empty() ||
           std::any_of(what.begin(), what.end(),
                       [&](const selector_clause& clause) { return holds(clause, event); });
}

std::size_t text_bytes(const recorded_event& event) noexcept {
    std::size_t bytes =
        event.stream.size() + event.type.size() + event.data.size() + event.metadata.size();
    for (const std::string_view tag : event.tags) bytes += tag.size();
    return bytes;
}

}  // namespace flexcore::store
