#include "schema/explain.hpp"

#include "schema/rewrite.hpp"

#include <valijson/validation_results.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace flexcore::schema_detail {
namespace {

/// Alternatives that one text names.
constexpr std::size_t alternatives_shown_max = 5;

struct item {
    enum class kind : std::uint8_t { violation, alternative_end, boundary };
    kind what;  ///< boundary: what stands before belongs to nothing that follows
    std::string pointer;
    std::string detail;
    std::size_t alternative = 0;  ///< alternative_end: which
};
using items = std::vector<item>;

/// valijson's context is "<root>", "[name]", "[0]", …
std::string pointer_of(const std::vector<std::string>& context) {
    std::string pointer;
    for (std::size_t i = 1; i < context.size(); ++i)
        pointer =
            pointer_to(pointer, std::string_view{context[i]}.substr(1, context[i].size() - 2));
    return pointer;
}

bool is_under(std::string_view pointer, std::string_view parent) {
    return pointer.starts_with(parent) &&
           (pointer.size() == parent.size() || pointer[parent.size()] == '/');
}

std::size_t depth_of(const items& alternative) {
    std::size_t depth = 0;
    for (const item& i : alternative)
        depth = std::max(depth, static_cast<std::size_t>(std::ranges::count(i.pointer, '/')));
    return depth;
}

/// Takes the findings of a failed anyOf or oneOf off the end of `found`, one list for each
/// alternative, the first in front.
std::vector<items> take_alternatives(items& found, const std::string& at) {
    std::vector<items> alternatives;
    while (!found.empty() && found.back().what == item::kind::alternative_end &&
           found.back().pointer == at) {
        const bool first = found.back().alternative == 0;
        found.pop_back();
        // Right before the end it belongs to alternatives inside this one.
        if (!found.empty() && found.back().what == item::kind::boundary) found.pop_back();
        items own;
        while (!found.empty() && found.back().what == item::kind::violation &&
               is_under(found.back().pointer, at)) {
            own.push_back(std::move(found.back()));
            found.pop_back();
        }
        std::ranges::reverse(own);
        alternatives.insert(alternatives.begin(), std::move(own));
        if (first) break;
    }
    return alternatives;
}

/// "must be a string, or must be null".
std::string joined(const std::vector<items>& alternatives) {
    std::vector<std::string> details;
    for (const items& a : alternatives) {
        std::string all;
        for (const item& i : a) all += (all.empty() ? "" : " and ") + i.detail;
        if (!all.empty() && std::ranges::find(details, all) == details.end())
            details.push_back(std::move(all));
    }
    if (details.empty() || details.size() > alternatives_shown_max)
        return "must match at least one of the alternatives";
    std::string out;
    for (const std::string& d : details) out += (out.empty() ? "" : ", or ") + d;
    return out;
}

void combine(items& found, const std::string& at) {
    std::vector<items> alternatives = take_alternatives(found, at);
    // An alternative that got further into the value is the one that was meant; of several the
    // one with least to mend.
    const auto best = std::ranges::max_element(alternatives, {}, [](const items& a) {
        return std::pair{depth_of(a), -static_cast<std::ptrdiff_t>(a.size())};
    });
    const auto own_depth = static_cast<std::size_t>(std::ranges::count(at, '/'));
    if (best != alternatives.end() && depth_of(*best) > own_depth) {
        for (item& i : *best) found.push_back(std::move(i));
    } else {
        found.push_back({item::kind::violation, at, joined(alternatives)});
    }
    found.push_back({item::kind::boundary, at, {}});
}

void take(const valijson::ValidationResults::Error& error, items& found) {
    const std::string_view text = error.description;
    std::string at = pointer_of(error.context);
    const auto add = [&](std::string detail) {
        found.push_back({item::kind::violation, std::move(at), std::move(detail)});
    };
    constexpr std::string_view child = "Failed to validate against child schema #";
    if (text.starts_with(finding_mark)) {
        add(std::string{text.substr(1)});
    } else if (text.starts_with(child)) {
        item end{item::kind::alternative_end, std::move(at), {}};
        std::from_chars(text.data() + child.size(), text.data() + text.size(), end.alternative);
        found.push_back(std::move(end));
    } else if (text.ends_with("allowed by anyOf constraint.") ||
               text.ends_with("allowed by oneOf constraint.")) {
        combine(found, at);
    } else if (text == "Failed to validate against exactly one child schema.") {
        add("must match exactly one of the alternatives, but matches several");
    } else if (text.starts_with("Target should not validate")) {
        add("must not match what the schema excludes");
    } else if (text.ends_with("'contains' constraint.")) {
        add("must hold at least one element of the kind asked for");
    }
    // What is left repeats on a higher level what has been said.
}

}  // namespace

std::vector<violation> explain(const valijson::ValidationResults& results,
                               std::size_t violations_max) {
    items found;
    for (const auto& error : results) take(error, found);
    std::vector<violation> out;
    for (item& i : found) {
        if (i.what != item::kind::violation || out.size() == violations_max) continue;
        const bool known = std::ranges::any_of(out, [&](const violation& v) {
            return v.pointer == i.pointer && v.detail == i.detail;
        });
        if (!known) out.push_back({std::move(i.pointer), std::move(i.detail)});
    }
    return out;
}

}  // namespace flexcore::schema_detail
