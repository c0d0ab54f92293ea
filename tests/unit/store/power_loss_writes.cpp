#include "unit/store/power_loss_writes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace power_loss_test {
namespace {

using kind = stream_change::kind;
// No key expires and no id is forgotten: the clock moves by a second each time it is asked.
constexpr unix_us keys_kept_us = 1'000'000'000'000;

}  // namespace

tried some_writes::next(const log_model& model) {
    if (random_() % 7 == 0) return {.what = change(model)};
    return {.what = append(model)};
}

std::string some_writes::busy_stream() {
    return fmt::format("s{}-{}", random_() % 3, random_() % 6 + 1'000'000);
}

std::string some_writes::some_stream() {
    // A new one now and then: expected to be absent, and its names are written too.
    if (random_() % 5 == 0) return fmt::format("s{}-{}", random_() % 3, ++next_stream_);
    return busy_stream();
}

uuid some_writes::fresh_id() {
    uuid made;
    for (auto& byte : made.bytes) byte = static_cast<std::uint8_t>(random_());
    return made;
}

expected_version some_writes::expectation(const log_model& model, const std::string& stream) {
    switch (random_() % 4) {
        case 0: {
            const auto current = model.current(tenant, stream);
            return current == 0 ? none : at(current);
        }
        case 1:
            return random_() % 3 == 0 ? none : any;
        default:
            return any;
    }
}

request some_writes::append(const log_model& model) {
    request made;
    std::set<std::string> streams{some_stream()};
    while (random_() % 4 == 0) streams.insert(some_stream());
    for (const auto& stream : streams) {
        to_stream one{.stream = stream, .expected = expectation(model, stream), .events = {}};
        for (std::size_t n = 1 + random_() % 3; n > 0; --n) {
            const std::size_t bytes = random_() % 10 == 0 ? random_() % 9000 : random_() % 200;
            one.events.push_back({.type = fmt::format("t.{}", random_() % 4),
                                  .tags = {fmt::format("k:{}", random_() % 30)},
                                  .data = '"' + std::string(bytes, 'x') + '"',
                                  .id = fresh_id()});
        }
        made.appends.push_back(std::move(one));
    }
    if (random_() % 3 == 0) {
        made.condition = append_condition{
            .none_match = {{.tags = {made.appends.front().events.front().tags.front()}}},
            .after = model.head() - std::min<position>(model.head(), random_() % 20)};
    }
    if (random_() % 3 == 0) {
        made.keys.push_back({.name = fmt::format("key-{}", fresh_id().to_string()),
                             .answer = fmt::format("answer {}", random_()),
                             .keep_us = keys_kept_us});
    }
    return made;
}

log_model::change some_writes::change(const log_model& model) {
    log_model::change made{.tenant = tenant, .stream = busy_stream()};
    if (random_() % 3 == 0) made.expected = at(model.current(tenant, made.stream));
    const auto dice = random_() % 12;
    made.what = dice < 7 ? kind::settings : dice < 11 ? kind::soft_delete : kind::tombstone;
    if (made.what != kind::settings) return made;
    if (random_() % 3 != 0) made.settings.max_count = 1 + random_() % 5;
    const version first =
        model.first_served(tenant, made.stream) + (random_() % 2 == 0 ? random_() % 3 : 0);
    if (first > 1) made.settings.truncate_before = first;
    return made;
}

append_request build(const tried& from) {
    if (const auto* append = from.append()) return build(*append);
    auto owned = std::make_shared<const log_model::change>(*from.change());
    append_request made;
    made.tenant = owned->tenant;
    made.change = stream_change{.stream = owned->stream,
                                .what = owned->what,
                                .expected = owned->expected,
                                .settings = owned->settings};
    made.backing = std::move(owned);
    return made;
}

log_model::answer tell(log_model& model, const tried& one) {
    return one.append() != nullptr ? model.append(*one.append()) : model.apply(*one.change());
}

log_model::answer answer_of(const result<append_outcome>& from) {
    log_model::answer made;
    if (!from) {
        made.code = from.error().code;
    } else if (from->stored_answer) {
        made.stored_answer = from->stored_answer;
    } else {
        made.pos = from->pos;
        made.repeated = from->repeated;
        for (const auto& one : from->appends) {
            made.versions.emplace_back(one.first_version, one.last_version);
        }
    }
    return made;
}

}  // namespace power_loss_test
