#include "gateway/query_args.hpp"

#include "base/names.hpp"
#include "base/nearest.hpp"
#include "gateway/errc.hpp"

#include <algorithm>
#include <charconv>

namespace flexcore::gateway {
namespace {

[[nodiscard]] std::unexpected<error> bad(std::string_view name, std::string_view what) {
    return fail(gateway_errc::bad_request,
                "Query parameter \"" + std::string{name} + "\" " + std::string{what});
}

std::optional<std::uint64_t> decimal(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

result<std::uint64_t> number_arg(const resolved_target& at, std::string_view name,
                                 std::uint64_t fallback, std::uint64_t least, std::uint64_t most) {
    const std::string* text = at.arg(name);
    if (text == nullptr) return fallback;
    const auto value = decimal(*text);
    if (!value || *value < least || *value > most)
        return bad(name, "must be a whole number from " + std::to_string(least) + " to " +
                             std::to_string(most) + ".");
    return *value;
}

result<std::uint64_t> parse_position(std::string_view text, std::string_view name) {
    const auto value = decimal(text);
    if (!value || *value > position_max)
        return fail(gateway_errc::bad_request,
                    "\"" + std::string{name} + "\" is not a position this server has given out.");
    return *value;
}

result<std::size_t> limit_arg(const resolved_target& at) {
    return number_arg(at, "limit", list_limit_default, 1, list_limit_max);
}

result<std::optional<store::position>> position_arg(const resolved_target& at,
                                                    std::string_view name) {
    const std::string* text = at.arg(name);
    if (text == nullptr) return std::optional<store::position>{};
    auto value = parse_position(*text, name);
    if (!value) return fail(std::move(value.error()));
    return std::optional<store::position>{*value};
}

result<store::direction> direction_arg(const resolved_target& at) {
    const std::string* text = at.arg("direction");
    if (text == nullptr || *text == "forward") return store::direction::forward;
    if (*text == "backward") return store::direction::backward;
    return bad("direction", "must be \"forward\" or \"backward\".");
}

result<std::vector<std::string>> names_arg(const resolved_target& at, std::string_view name) {
    std::vector<std::string> out;
    const std::string* text = at.arg(name);
    if (text == nullptr) return out;
    for (std::size_t begin = 0; begin <= text->size();) {
        const std::size_t end = std::min(text->find(',', begin), text->size());
        std::string one = text->substr(begin, end - begin);
        if (!is_name(one)) return bad(name, "must be names, separated by commas.");
        out.push_back(std::move(one));
        begin = end + 1;
    }
    return out;
}

result<std::optional<unix_us>> time_arg(const resolved_target& at, std::string_view name) {
    const std::string* given = at.arg(name);
    if (given == nullptr) return std::optional<unix_us>{};
    // An offset's plus sign that was not percent-encoded has arrived as a space.
    std::string text = *given;
    std::replace(text.begin(), text.end(), ' ', '+');
    const auto time = parse_time(text);
    if (!time) return bad(name, "must be a time as in RFC 3339: 2026-11-22T10:00:00Z.");
    return time;
}

std::string unknown_arg(std::string_view wrong, std::span<const std::string_view> right) {
    std::string guess = did_you_mean(wrong, right);
    if (guess.empty()) guess = ".";
    return "Unknown query parameter \"" + to_utf8(wrong.substr(0, 255)) + "\"" + guess;
}

result<store::log_filter> log_filter_args(const resolved_target& at, std::string_view tenant) {
    store::log_filter out;
    out.tenant = tenant;
    store::selector_clause clause;
    for (const auto& [name, list] :
         {std::pair{"types", &clause.types}, std::pair{"categories", &clause.categories},
          std::pair{"tags", &clause.tags}}) {
        auto names = names_arg(at, name);
        if (!names) return fail(std::move(names.error()));
        *list = std::move(*names);
    }
    if (const std::string* prefix = at.arg("stream_prefix")) {
        if (!is_stream_name(*prefix)) return bad("stream_prefix", "is not how a stream begins.");
        clause.stream_prefix = *prefix;
    }
    if (!clause.types.empty() || !clause.categories.empty() || !clause.tags.empty() ||
        !clause.stream_prefix.empty())
        out.what.push_back(std::move(clause));
    auto since = time_arg(at, "since");
    if (!since) return fail(std::move(since.error()));
    out.since = *since;
    return out;
}

result<freshness> freshness_args(const resolved_target& at) {
    freshness out;
    auto least = position_arg(at, "min_position");
    if (!least) return fail(std::move(least.error()));
    out.min_position = least->value_or(0);
    auto wait = number_arg(at, "wait_ms",
                           static_cast<std::uint64_t>(wait_default / std::chrono::milliseconds{1}),
                           0, wait_ms_max);
    if (!wait) return fail(std::move(wait.error()));
    out.wait = std::chrono::milliseconds{*wait};
    return out;
}

}  // namespace flexcore::gateway
