#include "gateway/write_answers.hpp"

#include "base/json.hpp"
#include "gateway/router.hpp"

namespace flexcore::gateway {

std::string scoped_key(const request& asked) {
    const route& to = *asked.at->to;
    std::string out{name_of(to.method)};
    out += ' ';
    out += to.pattern;
    out += '\n';
    out += asked.who.principal;
    out += '\n';
    out += asked.fields.idempotency_key;
    return out;
}

void set_position(response& answer, std::uint64_t position) {
    answer.headers.push_back({"FlexCore-Position", std::to_string(position)});
}

void set_replayed(response& answer) { answer.headers.push_back({"Idempotent-Replay", "true"}); }

std::uint64_t position_in(std::string_view body) {
    const auto root = json::parse(body);
    if (!root || root->type() != json::kind::object) return 0;
    std::vector<json::member> members;
    json::members_of(*root, members);
    for (const json::member& one : members)
        if (one.named("position")) return one.value.unsigned_integer().value_or(0);
    return 0;
}

}  // namespace flexcore::gateway
