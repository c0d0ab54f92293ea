#include "store/append_decision_impl.hpp"

#include "store/read_limits_impl.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flexcore::store {
namespace {

using rule = expected_version::rule;
using stream_state = log_state::stream_state;
using known_event = log_state::known_event;

std::string to_text(const expected_version& expected) {
    switch (expected.what) {
        case rule::any:
            return "any";
        case rule::none:
            return "none";
        case rule::exists:
            return "exists";
        case rule::exact:
            return fmt::format("{}", expected.exact);
    }
    return {};
}

/// What the stream counts as: softly deleted, it is not there.
version current_of(const stream_state& state) {
    return state.deleted == deletion::soft ? 0 : state.ver;
}

bool meets(const expected_version& expected, version current) {
    switch (expected.what) {
        case rule::any:
            return true;
        case rule::none:
            return current == 0;
        case rule::exists:
            return current != 0;
        case rule::exact:
            return current == expected.exact;
    }
    return false;
}

/// The stored answer when a key is known; an error when it is known for something else.
result<std::optional<std::string>> answered_before(const append_request& request, unix_us now,
                                                   log_state& log) {
    std::optional<std::string> first;
    for (const auto& entry : request.keys) {
        auto known = log.answer(request.tenant, entry.key, now);
        if (!known) continue;
        if (known->fingerprint != entry.fingerprint) {
            return fail(store_errc::key_conflict,
                        "the idempotency key was used for another request");
        }
        if (!first) first = std::move(known->answer);
    }
    return first;
}

template <class Visit>
void for_each_event(const append_request& request, Visit visit) {
    std::size_t place = 0;
    for (std::size_t a = 0; a < request.appends.size(); ++a) {
        for (const auto& event : request.appends[a].events) {
            if (!visit(a, place++, event)) return;
        }
    }
}

/// Whether the log holds exactly this request: all its ids, in this order, in these streams,
/// written as one request from its first event to its last.
bool same_request(const append_request& request, position head, log_state& log,
                  std::vector<known_event>& found) {
    bool same = true;
    for_each_event(request, [&](std::size_t a, std::size_t place, const new_event& event) {
        const auto known =
            event.id.is_nil() ? std::nullopt : log.event_with_id(request.tenant, event.id);
        same = known && known->place == place &&
               (found.empty() || known->pos == found.front().pos + place) &&
               known->stream == log.stream(request.tenant, request.appends[a].stream).id;
        if (same) found.push_back(*known);
        return same;
    });
    if (!same || found.empty()) return false;
    const auto following = log.event_at(found.back().pos + 1);
    // One that is gone and forgotten may have belonged to it: then nobody knows.
    return following ? following->place == 0 : found.back().pos == head;
}

append_outcome first_answer(const append_request& request, log_state& log,
                            const std::vector<known_event>& found) {
    append_outcome outcome;
    outcome.repeated = true;
    outcome.pos = found.back().pos;
    outcome.recorded_at = found.back().recorded_at;
    outcome.appends.resize(request.appends.size());
    for_each_event(request, [&](std::size_t a, std::size_t place, const new_event& event) {
        auto& stream = outcome.appends[a];
        const auto& known = found[place];
        if (stream.first_version == 0) {
            stream.first_version = known.ver;
            stream.first_position = known.pos;
        }
        stream.last_version = known.ver;
        stream.last_position = known.pos;
        outcome.ids.push_back(event.id);
        return true;
    });
    for (std::size_t a = 0; a < request.appends.size(); ++a) {
        const auto& append = request.appends[a];
        if (!append.events.empty()) continue;
        outcome.appends[a].last_version =
            log.version_before(log.stream(request.tenant, append.stream), found.front().pos);
    }
    return outcome;
}

/// The first answer when the events are in the log already, nothing when none of them is.
result<std::optional<append_outcome>> written_before(const append_request& request, position head,
                                                     log_state& log) {
    const new_event* overlap = nullptr;
    for_each_event(request, [&](std::size_t, std::size_t, const new_event& event) {
        if (!event.id.is_nil() && log.event_with_id(request.tenant, event.id)) overlap = &event;
        return overlap == nullptr;
    });
    if (!overlap) return std::nullopt;
    std::vector<known_event> found;
    if (same_request(request, head, log, found)) return first_answer(request, log, found);
    return fail(store_errc::event_id_conflict,
                fmt::format("event id {} is in the log already, and not as this append",
                            overlap->id.to_string()));
}

/// Collects everything that does not hold, so that the caller learns it in one go.
class failures {
public:
    void version_conflict(std::size_t index, const stream_append& append, version current) {
        list_.push_back(boost::json::object{
            {"index", index}, {"code", "version_conflict"}, {"current_version", current}});
        if (first_conflict_) return;
        first_conflict_ = current;
        if (deleted_) return;
        text_ = current == 0 ? fmt::format("stream {} does not exist, expected version {}",
                                           append.stream, to_text(append.expected))
                             : fmt::format("stream {} is at version {}, expected {}", append.stream,
                                           current, to_text(append.expected));
    }
    void deleted(std::size_t index, const stream_append& append) {
        list_.push_back(boost::json::object{{"index", index}, {"code", "stream_deleted"}});
        if (!deleted_) text_ = fmt::format("stream {} was deleted for good", append.stream);
        deleted_ = true;
    }
    void condition_failed(position at) {
        list_.push_back(boost::json::object{
            {"condition", true}, {"code", "condition_failed"}, {"position", at}});
        match_ = at;
        if (!first_conflict_ && !deleted_) {
            text_ = fmt::format("the event at position {} matches the condition", at);
        }
    }
    [[nodiscard]] bool any() const { return !list_.empty(); }
    [[nodiscard]] error refusal() && {
        error e{deleted_          ? store_errc::stream_deleted
                : first_conflict_ ? store_errc::version_conflict
                                  : store_errc::condition_failed,
                std::move(text_)};
        auto members = std::make_shared<boost::json::object>();
        if (first_conflict_) (*members)["current_version"] = *first_conflict_;
        if (match_ != 0) (*members)["position"] = match_;
        (*members)["failures"] = std::move(list_);
        e.members = std::move(members);
        return e;
    }

private:
    boost::json::array list_;
    std::optional<version> first_conflict_;
    position match_ = 0;
    bool deleted_ = false;
    std::string text_;
};

/// What an append to a stream that is gone for good once did is not looked up any more: its ids may
/// be forgotten, and the answer must not depend on that. A key's answer stands by itself, and has
/// come before.
bool names_tombstone(const append_request& request, log_state& log) {
    return std::any_of(
        request.appends.begin(), request.appends.end(), [&](const stream_append& append) {
            return log.stream(request.tenant, append.stream).deleted == deletion::forever;
        });
}

result<void> check_expectations(const append_request& request, const write_batch& batch,
                                log_state& log) {
    failures found;
    for (std::size_t a = 0; a < request.appends.size(); ++a) {
        const auto& append = request.appends[a];
        const auto& state = log.stream(request.tenant, append.stream);
        if (state.deleted == deletion::forever) {
            found.deleted(a, append);
            continue;
        }
        const version current = current_of(state);
        if (!meets(append.expected, current)) found.version_conflict(a, append, current);
    }
    if (request.condition && request.condition->after < batch.head) {
        const auto match = log.first_match(request.tenant, request.condition->none_match,
                                           request.condition->after, batch.now);
        if (!match) return fail(match.error());
        if (*match != 0) found.condition_failed(*match);
    }
    if (found.any()) return fail(std::move(found).refusal());
    return {};
}

void remember_keys(const append_request& request, const append_outcome& outcome, unix_us now,
                   log_state& log) {
    for (const auto& entry : request.keys) {
        log.remember(request.tenant, entry, entry.answer(outcome), now);
    }
}

append_outcome write(append_request& request, write_batch& batch, log_state& log) {
    append_outcome outcome;
    outcome.recorded_at = batch.now;
    outcome.appends.reserve(request.appends.size());
    auto& events = batch.events->events;
    const std::size_t first = events.size();
    std::uint32_t place = 0;
    for (const auto& append : request.appends) {
        auto& state = log.stream(request.tenant, append.stream);
        auto& done = outcome.appends.emplace_back();
        if (!append.events.empty()) {
            if (state.deleted == deletion::soft) {
                log.revive(state);
                batch.changed.push_back({request.tenant, append.stream});
            }
            done.first_version = state.ver + 1;
            done.first_position = batch.head + 1;
        }
        for (const auto& event : append.events) {
            auto& recorded = events.emplace_back();
            recorded.pos = ++batch.head;
            recorded.ver = state.ver + 1;
            recorded.id = event.id.is_nil() ? uuid_v7() : event.id;
            recorded.recorded_at = batch.now;
            recorded.schema_version = event.schema_version;
            recorded.tenant = request.tenant;
            recorded.stream = append.stream;
            recorded.type = event.type;
            recorded.data = event.data;
            recorded.metadata = event.metadata.empty() ? std::string_view{"{}"} : event.metadata;
            recorded.tags = event.tags;
            batch.events->bytes += text_bytes(recorded);
            outcome.ids.push_back(recorded.id);
            log.add(recorded, state, place++);
        }
        done.last_version = current_of(state);
        if (!append.events.empty()) done.last_position = batch.head;
    }
    outcome.pos = batch.head;
    batch.appends.push_back({.origin = request.origin,
                             .first = static_cast<std::uint32_t>(first),
                             .count = static_cast<std::uint32_t>(events.size() - first)});
    remember_keys(request, outcome, batch.now, log);
    if (place != 0 && request.backing) {
        batch.events->backing.push_back(request.backing);
    }
    return outcome;
}

error conflict_of(const stream_change& change, version current) {
    failures found;
    found.version_conflict(0, {.stream = change.stream, .expected = change.expected, .events = {}},
                           current);
    return std::move(found).refusal();
}

/// What was done already is done: who asks again need not know how it stood before.
result<append_outcome> decide_change(const append_request& request, write_batch& batch,
                                     log_state& log) {
    using kind = stream_change::kind;
    const auto& change = *request.change;
    auto& state = log.stream(request.tenant, change.stream);
    append_outcome outcome;
    outcome.pos = batch.head;
    outcome.recorded_at = batch.now;
    if (log.failure()) return outcome;
    if (state.deleted == deletion::forever) {
        if (change.what != kind::tombstone) return fail(stream_is_deleted(change.stream));
        outcome.repeated = true;
        return outcome;
    }
    const bool soft = state.deleted == deletion::soft;
    if (state.id == 0 || (soft && change.what == kind::settings)) {
        return fail(no_such_stream(change.stream));
    }
    const auto& expected = change.expected;
    const bool as_deleted = soft && expected.what == rule::exact && expected.exact == state.ver;
    if (!as_deleted && !meets(expected, current_of(state))) {
        return fail(conflict_of(change, current_of(state)));
    }
    if (soft && change.what == kind::soft_delete) {
        outcome.repeated = true;
        return outcome;
    }
    if (change.settings.truncate_before.value_or(0) > state.ver + 1) {
        return fail(store_errc::invalid_request,
                    fmt::format("truncate_before lies beyond the stream's next version, {}",
                                state.ver + 1));
    }
    log.change(change, request.tenant, state);
    batch.changed.push_back({request.tenant, change.stream});
    return outcome;
}

result<append_outcome> decide(append_request& request, write_batch& batch, log_state& log) {
    if (request.change) return decide_change(request, batch, log);
    auto answered = answered_before(request, batch.now, log);
    if (!answered) return fail(std::move(answered.error()));
    append_outcome outcome;
    if (*answered) {
        outcome.stored_answer = std::move(**answered);
        batch.appends.push_back({.origin = request.origin});
        return outcome;
    }
    if (names_tombstone(request, log)) {
        return fail(check_expectations(request, batch, log).error());
    }
    auto written = written_before(request, batch.head, log);
    if (!written) return fail(std::move(written.error()));
    if (*written) {
        // An answer is an answer: another request under this key must find it taken.
        remember_keys(request, **written, batch.now, log);
        batch.appends.push_back({.origin = request.origin});
        return std::move(**written);
    }
    // Nobody has seen that position: of another log, it would switch the condition off.
    if (request.condition && request.condition->after > batch.head) {
        return fail(store_errc::invalid_request,
                    fmt::format("the condition's position {} lies beyond the end of the log",
                                request.condition->after));
    }
    if (auto ok = check_expectations(request, batch, log); !ok) {
        return fail(std::move(ok.error()));
    }
    if (log.failure()) return outcome;  // what the checks saw does not count
    return write(request, batch, log);
}

}  // namespace

result<void> decide_batch(write_batch& batch, log_state& log) {
    std::size_t events = 0;
    for (const auto& entry : batch.entries) events += entry.events;
    batch.events = std::make_shared<event_batch>();
    batch.events->events.reserve(events);
    batch.events->backing.reserve(batch.entries.size());
    batch.appends.clear();
    batch.appends.reserve(batch.entries.size());
    batch.changed.clear();
    for (auto& entry : batch.entries) {
        entry.answer = decide(entry.request, batch, log);
        if (log.failure()) return fail(*log.failure());
    }
    return {};
}

}  // namespace flexcore::store
