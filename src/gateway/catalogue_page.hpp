// Lists of what is registered (commands, queries, plugins, …): all in memory, ordered by name,
// given out page by page like any other list.
#pragma once

#include "gateway/api.hpp"
#include "gateway/json_object.hpp"
#include "gateway/query_args.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::gateway {

inline const std::vector<query_param>& catalogue_params() {
    static const std::vector<query_param> all{
        {"limit", param_type::integer, "How many items at the most", 1, list_limit_max},
        {"after", param_type::text, "`next` of the page before"}};
    return all;
}

/// The page of `items` that the request asks for; `name(item)` orders them and is the cursor,
/// `append(out, item)` writes one.
template <class Item, class Name, class Append>
[[nodiscard]] result<response> catalogue_page(const request& asked, std::vector<Item> items,
                                              Name name, Append append) {
    const auto limit = limit_arg(*asked.at);
    if (!limit) return fail(limit.error());
    const auto before = [&](const Item& a, const Item& b) { return name(a) < name(b); };
    std::sort(items.begin(), items.end(), before);
    if (const std::string* after = asked.at->arg("after")) {
        const auto begin = std::find_if(items.begin(), items.end(),
                                        [&](const Item& one) { return name(one) > *after; });
        items.erase(items.begin(), begin);
    }
    std::string next;
    if (items.size() > *limit) {
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(*limit), items.end());
        next = name(items.back());
    }
    return json_response(json_list(items, next, append));
}

template <class Item, class Name, class Append>
void give_catalogue(const request& asked, responder answer, std::vector<Item> items, Name name,
                    Append append) {
    give(answer, catalogue_page(asked, std::move(items), name, append));
}

}  // namespace flexcore::gateway
