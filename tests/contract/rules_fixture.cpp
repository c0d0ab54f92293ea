#include "contract/rules_fixture.hpp"

namespace contract {

result<append_outcome> sent(event_log& log, append_request what) {
    std::promise<result<append_outcome>> promise;
    auto answer = promise.get_future();
    log.append(std::move(what),
               [&](result<append_outcome> outcome) { promise.set_value(std::move(outcome)); });
    return answer.get();
}

result<append_outcome> changed(event_log& log, const std::string& stream, change_kind what,
                               expected_version expected, const stream_settings& settings) {
    struct names {
        std::string tenant, stream;
    };
    auto owned = std::make_shared<names>(names{tenant, stream});
    append_request made;
    made.tenant = owned->tenant;
    made.change = stream_change{
        .stream = owned->stream, .what = what, .expected = expected, .settings = settings};
    made.backing = std::move(owned);
    return sent(log, std::move(made));
}

result<append_outcome> set(event_log& log, const std::string& stream,
                           const stream_settings& settings, expected_version expected) {
    return changed(log, stream, change_kind::settings, expected, settings);
}

result<append_outcome> soft_delete(event_log& log, const std::string& stream,
                                   expected_version expected) {
    return changed(log, stream, change_kind::soft_delete, expected);
}

result<append_outcome> bury(event_log& log, const std::string& stream, expected_version expected) {
    return changed(log, stream, change_kind::tombstone, expected);
}

list served(event_log& log, const std::string& stream, direction way, std::size_t limit) {
    list all;
    version from = 0;
    do {
        const auto page = value(log.read_stream(tenant, stream, from, limit, way));
        for (const auto& event : page.batch->events) all.push_back(event.ver);
        from = page.next;
    } while (from != 0);
    return all;
}

}  // namespace contract
