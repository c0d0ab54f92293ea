// Selectors of events in requests, and the scans that plugins ask for.
#include "base/json.hpp"
#include "base/names.hpp"
#include "fuzz/target.hpp"
#include "gateway/body_reader.hpp"
#include "plugin/calls/scan_json.hpp"
#include "store/event.hpp"

#include <array>
#include <cmath>

namespace {

using namespace flexcore;
using fuzz::require;

void selector(json::slice root) {
    gateway::findings found;
    const store::selector read = gateway::read_selector(root, "/s", found);
    if (found.any()) {
        require(is_utf8(found.to_error().client), "a refusal can be shown");
        return;
    }
    require(!read.empty(), "a selector has a clause");
    const std::array<std::string_view, 1> tags{"a:b"};
    store::recorded_event event;
    event.stream = "order-1";
    event.type = "sales.placed";
    event.tags = tags;
    bool any = false;
    for (const auto& clause : read) {
        for (const auto* list : {&clause.types, &clause.tags, &clause.categories})
            for (const auto& name : *list) require(is_name(name), "names only");
        any = any || store::matches({clause}, event);
    }
    require(store::matches(read, event) == any, "a selector matches when a clause does");
}

void scan(std::string_view text) {
    const auto read = plugin::parse_scan(text);
    if (!read) return require(is_utf8(read.error().client), "a refusal can be shown");
    require(read->limit >= 1 && read->limit <= plugin::scan_limit_max, "a bounded scan");
    for (const auto& one : read->where)
        if (const auto* number = std::get_if<double>(&one.value))
            require(std::isfinite(*number), "finite numbers only");
    for (const auto& one : read->order) require(!one.field.empty(), "a field has a name");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    if (const auto root = json::parse(text)) selector(*root);
    scan(text);
    return 0;
}
