#include "gateway/router.hpp"

#include "base/check.hpp"
#include "base/names.hpp"
#include "gateway/errc.hpp"
#include "gateway/exchange.hpp"
#include "gateway/query_args.hpp"

#include <algorithm>

namespace flexcore::gateway {

struct router::node {
    std::vector<std::pair<std::string, std::unique_ptr<node>>> literals;
    std::unique_ptr<node> param;
    std::array<const route*, verbs> by_verb{};
    bool ends_here = false;
};

namespace {

constexpr std::size_t slot(verb method) { return static_cast<std::size_t>(method); }

std::vector<std::string_view> split_pattern(std::string_view pattern) {
    std::vector<std::string_view> out;
    for (std::size_t begin = 1; begin <= pattern.size();) {
        const std::size_t end = std::min(pattern.find('/', begin), pattern.size());
        out.push_back(pattern.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

result<void> check_names(const route& to, const std::vector<query_arg>& args) {
    if (to.open_query) return {};
    for (std::size_t i = 0; i < args.size(); ++i) {
        const auto known = std::any_of(to.query.begin(), to.query.end(), [&](const query_param& q) {
            return q.name == args[i].name;
        });
        if (!known) {
            std::vector<std::string_view> names;
            names.reserve(to.query.size());
            for (const query_param& q : to.query) names.push_back(q.name);
            return fail(gateway_errc::bad_request, unknown_arg(args[i].name, names));
        }
        for (std::size_t j = 0; j < i; ++j)
            if (args[j].name == args[i].name)
                return fail(gateway_errc::bad_request,
                            "Query parameter \"" + args[i].name + "\" stands twice.");
    }
    return {};
}

std::string allow_field(const std::array<const route*, verbs>& by_verb) {
    std::string out;
    for (std::size_t i = 0; i < verbs; ++i) {
        if (by_verb[i] == nullptr) continue;
        out += name_of(static_cast<verb>(i));
        out += ", ";
        if (static_cast<verb>(i) == verb::get) out += "HEAD, ";
    }
    return out + "OPTIONS";
}

}  // namespace

router::router() : root_{std::make_unique<node>()} {}
router::~router() = default;

void router::add(route one) {
    node* at = root_.get();
    for (const std::string_view segment : split_pattern(one.pattern)) {
        if (segment.starts_with('{')) {
            if (!at->param) at->param = std::make_unique<node>();
            at = at->param.get();
            continue;
        }
        const auto found = std::find_if(at->literals.begin(), at->literals.end(),
                                        [&](const auto& child) { return child.first == segment; });
        if (found != at->literals.end()) {
            at = found->second.get();
        } else {
            at->literals.emplace_back(segment, std::make_unique<node>());
            at = at->literals.back().second.get();
        }
    }
    FLEXCORE_CHECK(at->by_verb[slot(one.method)] == nullptr);
    one.index = routes_.size();
    routes_.push_back(std::make_unique<route>(std::move(one)));
    at->by_verb[slot(routes_.back()->method)] = routes_.back().get();
    at->ends_here = true;
}

const router::node* router::descend(const node& from, const std::vector<std::string>& segments,
                                    std::size_t at, std::vector<std::string>& params) {
    if (at == segments.size()) return from.ends_here ? &from : nullptr;
    for (const auto& [name, child] : from.literals)
        if (name == segments[at])
            if (const node* found = descend(*child, segments, at + 1, params)) return found;
    if (!from.param) return nullptr;
    params.push_back(segments[at]);
    if (const node* found = descend(*from.param, segments, at + 1, params)) return found;
    params.pop_back();
    return nullptr;
}

router::match router::find(const std::vector<std::string>& segments) const {
    match out;
    if (const node* found = descend(*root_, segments, 0, out.params)) out.by_verb = &found->by_verb;
    return out;
}

const route* router::match::of(verb method) const noexcept {
    if (by_verb == nullptr) return nullptr;
    return (*by_verb)[slot(method == verb::head ? verb::get : method)];
}

std::string router::match::allow() const { return allow_field(*by_verb); }

std::string router::allow() const {
    std::array<const route*, verbs> any{};
    for (const auto& one : routes_) any[slot(one->method)] = one.get();
    return allow_field(any);
}

result<std::shared_ptr<const resolved_target>> resolve(const router& table, verb method,
                                                       std::string_view target) {
    auto parts = split_target(target);
    if (!parts) return fail(std::move(parts.error()));
    if (parts->path == "*") {
        if (method != verb::options)
            return fail(gateway_errc::bad_request, "The target * is for OPTIONS only.");
        return fail(error{make_error_code(gateway_errc::method_not_allowed), "Options."}.with(
            "allow", boost::json::string{table.allow()}));
    }
    auto segments = decode_path(parts->path);
    if (!segments) return fail(std::move(segments.error()));
    auto args = decode_query(parts->query);
    if (!args) return fail(std::move(args.error()));

    router::match found = table.find(*segments);
    if (found.by_verb == nullptr)
        return fail(gateway_errc::not_found, "There is nothing at this path.");
    const route* to = found.of(method);
    if (to == nullptr)
        return fail(error{make_error_code(gateway_errc::method_not_allowed),
                          "This path does not take the method; see the Allow field."}
                        .with("allow", boost::json::string{found.allow()}));
    if (auto ok = check_names(*to, *args); !ok) return fail(std::move(ok.error()));

    auto out = std::make_shared<resolved_target>();
    out->to = to;
    out->path = parts->path;
    out->params = std::move(found.params);
    out->args = std::move(*args);
    return out;
}

}  // namespace flexcore::gateway
