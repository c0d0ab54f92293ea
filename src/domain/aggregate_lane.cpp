#include "domain/aggregate_lane_impl.hpp"

#include "base/json.hpp"
#include "domain/errc.hpp"

#include <algorithm>
#include <optional>

namespace flexcore::domain {
namespace {

constexpr std::size_t page_events = 500;
// A history that is not longer is read as it is; its snapshot would cost a question more.
constexpr std::size_t short_history_max = 50;

std::string_view merged(bytes_arena& arena, std::string_view behaviors, std::string_view commands) {
    if (behaviors.empty() || behaviors == "{}" || behaviors == commands) return commands;
    std::vector<json::member> theirs;
    std::vector<json::member> ours;
    json::members_of(json::slice{behaviors}, theirs);
    json::members_of(json::slice{commands}, ours);
    std::string out{commands.substr(0, commands.size() - 1)};
    for (const auto& member : theirs) {
        const std::string name = member.name();
        if (std::any_of(ours.begin(), ours.end(), [&](const auto& m) { return m.named(name); })) {
            continue;
        }
        if (out.size() > 1) out += ',';
        out += '"';
        out += member.raw_name;
        out += "\":";
        out += member.value.text;
    }
    out += '}';
    return arena.keep(out);
}

}  // namespace

void add_events(turn_texts& to, const decision& what, std::string_view command_metadata) {
    if (what.events.empty()) return;
    const std::string_view kept = to.own.keep(command_metadata);
    to.bytes += kept.size();
    to.arenas.push_back(what.texts);
    for (store::new_event event : what.events) {
        event.id = {};
        event.metadata = merged(to.own, event.metadata, kept);
        to.bytes += event.data.size() + event.type.size();
        to.events.push_back(event);
    }
}

std::vector<store::recorded_event> as_folded(const turn_texts& from, std::size_t first,
                                             store::version ver) {
    std::vector<store::recorded_event> events;
    events.reserve(from.events.size() - first);
    for (std::size_t i = first; i < from.events.size(); ++i) {
        const auto& event = from.events[i];
        events.push_back({.pos = 0,
                          .ver = ver++,
                          .id = {},
                          .recorded_at = 0,
                          .schema_version = event.schema_version,
                          .tenant = from.tenant,
                          .stream = from.stream,
                          .type = event.type,
                          .data = event.data,
                          .metadata = event.metadata,
                          .tags = event.tags});
    }
    return events;
}

namespace {

/// A snapshot counts only when the log has the event it was taken at, not deleted since.
bool restore(lane& l, store::event_log& log, const snapshot_use& snapshots) {
    if (snapshots.kept == nullptr) return false;
    const auto found = snapshots.kept->find(l.tenant, l.stream, l.kind->spec.reducer_version);
    if (!found) return false;
    const auto page = log.read_history(l.tenant, l.stream, found->ver, 1);
    const bool fits = page && page->base < found->ver && !page->batch->events.empty() &&
                      page->batch->events.front().ver == found->ver &&
                      page->batch->events.front().id == found->event_id;
    auto state = fits ? l.kind->behavior->restore(found->state)
                      : fail(domain_errc::behavior_failed, "the snapshot is not of this history");
    if (!state || !*state) {
        if (page || page.error().code == store::store_errc::stream_deleted) {
            snapshots.kept->drop(l.tenant, l.stream);
        }
        return false;
    }
    l.state = std::move(*state);
    l.base = page->base;
    l.ver = l.durable = l.snapshot_at = found->ver;
    return true;
}

}  // namespace

void keep_snapshot(lane& l, const uuid& last, const snapshot_use& snapshots) {
    if (snapshots.kept == nullptr || !l.state) return;
    if (l.durable < std::max(l.snapshot_at, l.base) + snapshots.every) return;
    // Also when there is none to be had: not asked for again with every command.
    l.snapshot_at = l.durable;
    auto state = l.kind->behavior->snapshot(*l.state);
    if (!state || state->size() > snapshots.bytes_max) return;
    snapshots.kept->put(l.tenant, l.stream, l.kind->spec.reducer_version,
                        {.ver = l.durable, .event_id = last, .state = std::move(*state)});
}

result<void> load(lane& l, store::event_log& log, const snapshot_use& snapshots) {
    const auto give_up = [&](error why) -> result<void> {
        l.state.reset();
        return std::unexpected{std::move(why)};
    };
    const auto incompatible = [&](const error& why) {
        // Then the behavior did not look at the events at all.
        if (why.code == bus::bus_errc::busy || why.code == bus::bus_errc::unavailable) return why;
        return error{domain_errc::log_incompatible,
                     "the events of " + l.stream + " cannot be folded",
                     why.client + (why.log.empty() ? "" : ": " + why.log)};
    };
    const auto begin_anew = [&](store::version base) -> result<void> {
        auto fresh = l.kind->behavior->initial();
        if (!fresh) return give_up(incompatible(fresh.error()));
        l.state = std::move(*fresh);
        l.base = l.ver = l.durable = base;
        l.snapshot_at = 0;
        return {};
    };
    // Before the log is read: what changes meanwhile is looked at again.
    const auto changes = l.changes.load(std::memory_order_acquire);
    std::optional<result<store::stream_page>> beginning;
    if (!l.state || changes != l.changes_seen) {
        l.state.reset();
        const auto few = std::clamp<std::size_t>(snapshots.every, 1, short_history_max);
        beginning = log.read_history(l.tenant, l.stream, 1, few);
        const bool whole = *beginning
                               ? (*beginning)->next == 0
                               : beginning->error().code == store::store_errc::stream_not_found;
        if (!whole && restore(l, log, snapshots)) {
            beginning.reset();
        } else if (auto ok = begin_anew(0); !ok) {
            return ok;
        }
    }
    uuid last;
    l.changes_seen = changes;
    for (store::version from = l.ver + 1; from != 0;) {
        auto page = beginning ? std::move(*beginning)
                              : log.read_history(l.tenant, l.stream, from, page_events);
        beginning.reset();
        if (!page) {
            if (page.error().code == store::store_errc::stream_not_found && l.ver == 0) break;
            return give_up(std::move(page.error()));
        }
        if (page->base != l.base) {
            // Deleted up to there: what was folded of it counts no more.
            if (auto ok = begin_anew(page->base); !ok) return ok;
            from = l.ver + 1;
            continue;
        }
        auto events = page->batch->events;
        if (!events.empty()) {
            if (events.front().ver != l.ver + 1) {
                return give_up(error{domain_errc::log_incompatible,
                                     "the history of " + l.stream + " is not complete",
                                     "version " + std::to_string(l.ver + 1) + " is not there"});
            }
            last = events.back().id;
            for (auto& event : events) {
                event.pos = 0;
                event.id = {};
                event.recorded_at = 0;
            }
            if (auto ok = l.kind->behavior->evolve(*l.state, events); !ok) {
                error why = incompatible(ok.error());
                if (why.code == domain_errc::log_incompatible) {
                    why.client += ": one of the versions " + std::to_string(l.ver + 1) + " to " +
                                  std::to_string(events.back().ver) +
                                  " is not what the plugin understands; the server's log says why";
                }
                return give_up(std::move(why));
            }
            l.ver = events.back().ver;
        }
        from = page->next;
    }
    l.durable = l.ver;
    if (!last.is_nil()) keep_snapshot(l, last, snapshots);
    return {};
}

bus::command_reply reply_to(const turn_item& item, const turn_texts& texts,
                            const store::append_outcome& outcome) {
    bus::command_reply reply;
    reply.command_id = *item.who->what.cmd.command_id;
    reply.stream = item.who->what.stream;
    reply.ver = item.after;
    reply.result = item.result;
    reply.pos = outcome.pos;
    reply.events.reserve(item.events);
    for (std::size_t i = item.first_event; i < item.first_event + item.events; ++i) {
        const auto& written = outcome.appends.front();
        reply.events.push_back({.id = outcome.ids[i],
                                .type = std::string{texts.events[i].type},
                                .ver = written.first_version + i,
                                .pos = written.first_position + i});
        reply.pos = reply.events.back().pos;
    }
    return reply;
}

}  // namespace flexcore::domain
