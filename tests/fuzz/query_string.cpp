// Request targets: paths, query arguments, and what the routes read from them.
#include "base/names.hpp"
#include "fuzz/target.hpp"
#include "gateway/query_args.hpp"
#include "gateway/query_params.hpp"
#include "gateway/target.hpp"
#include "gateway/where_args.hpp"

#include "base/json.hpp"

#include <cmath>
#include <string>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using fuzz::require;

void path(std::string_view raw) {
    const auto segments = decode_path(raw);
    if (!segments) return;
    std::string again;
    for (const auto& segment : *segments) {
        require(is_utf8(segment), "a segment is UTF-8");
        require(segment.find('\0') == segment.npos, "a segment without NUL");
        again += '/' + encode_segment(segment);
    }
    const auto same = decode_path(again);
    require(same && *same == *segments, "a path encoded is the same path");
}

bus::query_descriptor described() {
    bus::query_descriptor out;
    out.name = "a.query";
    out.params_schema = *schema::compile(
        R"({"properties":{"n":{"type":"integer"},"x":{"type":"number"},"b":{"type":"boolean"},
            "s":{"type":"string"},"l":{"type":"array","items":{"type":"integer"}}}})");
    return out;
}

void arguments(resolved_target at) {
    static const bus::query_descriptor query = described();
    if (const auto params = query_params_json(query, at)) {
        const auto read = json::parse(*params);
        require(read && read->type() == json::kind::object, "parameters are an object");
    }
    if (const auto scan = read_scan_args(at)) {
        require(scan->scan.limit >= 1 && scan->scan.limit <= list_limit_max, "a bounded scan");
        require(scan->texts.size() == scan->scan.where.size() &&
                    scan->ambiguous.size() == scan->scan.where.size(),
                "a text for each condition");
        for (const auto& one : scan->scan.where) {
            require(!one.field.empty(), "a field has a name");
            if (const auto* number = std::get_if<double>(&one.value))
                require(std::isfinite(*number), "finite numbers only");
        }
    } else {
        require(is_utf8(scan.error().client), "a refusal can be shown");
    }
    if (const auto filter = log_filter_args(at, "default"))
        for (const auto& clause : filter->what)
            for (const auto* names : {&clause.types, &clause.tags, &clause.categories})
                for (const auto& name : *names) require(is_name(name), "names only");
    if (const auto fresh = freshness_args(at))
        require(fresh->min_position <= position_max, "a position within its range");
    (void)limit_arg(at);
    (void)direction_arg(at);
    (void)position_arg(at, "after");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string target{fuzz::text_of(data, size)};
    const auto parts = split_target(target);
    if (!parts) return 0;
    require(!parts->path.empty(), "there is a path");
    if (parts->path != "*") path(parts->path);
    auto args = decode_query(parts->query);
    if (!args) return 0;
    for (const auto& arg : *args)
        require(is_utf8(arg.name) && is_utf8(arg.value), "arguments are UTF-8");
    resolved_target at;
    at.args = std::move(*args);
    arguments(std::move(at));
    return 0;
}
