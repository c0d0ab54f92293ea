#include "domain/aggregate_runtime_impl.hpp"
#include "telemetry/log.hpp"

namespace flexcore::domain {
namespace {

error changes_too_often(const error& conflict) {
    error e{store::store_errc::version_conflict,
            "the aggregate was changed by others each time the command was decided; try again"};
    if (conflict.members) {
        if (const auto* current = conflict.members->if_contains("current_version")) {
            return std::move(e).with("current_version", *current);
        }
    }
    return e;
}

}  // namespace

void aggregate_runtime::state::finish(const std::shared_ptr<lane>& l) {
    // Where others write, what nothing is written for is an answer about the state as well: the log
    // proves that it was the newest.
    if (l->now->writes() || (log.shared() && !l->now->items.empty())) return write(l);
    // Nothing was decided on top of anything, and the state held when each was decided.
    store::append_outcome nothing;
    nothing.pos = log.head();
    answer_written(*l, nothing);
    end_turn(l);
}

void aggregate_runtime::state::write(const std::shared_ptr<lane>& l) {
    turn& now = *l->now;
    auto& texts = *now.texts;
    store::append_request request;
    request.tenant = texts.tenant;
    request.origin = this;
    // A stream that was deleted and not written again is not there: version 0.
    request.appends.push_back({.stream = texts.stream,
                               .expected = {.what = store::expected_version::rule::exact,
                                            .exact = l->current(l->durable)},
                               .events = texts.events});
    if (now.keyed) {
        const auto& command = now.items[*now.keyed].who->what;
        texts.keys = command.keys;
        texts.fingerprint = command.cmd.fingerprint;
        for (const auto& key : texts.keys) {
            request.keys.push_back(
                {.key = key,
                 .fingerprint = texts.fingerprint,
                 .answer = [written = l->now](const store::append_outcome& outcome) {
                     const turn_item& item = written->items[*written->keyed];
                     return item.refused
                                ? bus::encode_rejection(*item.refused)
                                : bus::encode_reply(reply_to(item, *written->texts, outcome));
                 }});
        }
    }
    request.backing = now.texts;
    log.append(std::move(request),
               [self = shared_from_this(), of = l](result<store::append_outcome> written) mutable {
                   bool first = false;
                   {
                       const std::lock_guard lock{self->settled_mutex};
                       first = self->settled.empty();
                       self->settled.emplace_back(std::move(of), std::move(written));
                   }
                   if (!first) return;
                   auto& on = self->workers;
                   on.post([self = std::move(self)] {
                       decltype(self->settled) done;
                       {
                           const std::lock_guard lock{self->settled_mutex};
                           done.swap(self->settled);
                       }
                       for (auto& [which, outcome] : done) self->settle(which, std::move(outcome));
                   });
               });
}

void aggregate_runtime::state::answer_written(lane& l, const store::append_outcome& outcome) {
    for (auto& item : std::exchange(l.now->items, {})) {
        if (item.refused) {
            item.who->answer(std::unexpected{std::move(*item.refused)});
        } else {
            item.who->answer(reply_to(item, *l.now->texts, outcome));
        }
    }
}

/// `counts`: the decision came to nothing because of others, which is allowed so many times.
void aggregate_runtime::state::decide_again(lane& l, std::vector<turn_item> items, const error& why,
                                            bool counts) {
    std::vector<std::shared_ptr<waiting_command>> again;
    for (auto& item : items) {
        if (counts && ++item.who->attempts >= settings.attempts_max) {
            item.who->answer(std::unexpected{why});
        } else {
            again.push_back(std::move(item.who));
        }
    }
    put_back(l, std::move(again));
}

void aggregate_runtime::state::settle(const std::shared_ptr<lane>& l,
                                      result<store::append_outcome> written) {
    turn& now = *l->now;
    if (written && !written->stored_answer) {
        const store::version expected = l->durable + 1;
        const store::version first =
            now.texts->events.empty() ? expected : written->appends.front().first_version;
        if (first != expected) {
            // It was written and deleted once more meanwhile: it begins the same, further on.
            for (auto& item : now.items) {
                if (item.after > l->durable) item.after += first - expected;
            }
            l->state.reset();
        }
        l->durable += now.texts->events.size();
        const uuid last = written->ids.empty() ? uuid{} : written->ids.back();
        answer_written(*l, *written);
        if (!last.is_nil()) keep_snapshot(*l, last, snapshots);
        end_turn(l);
        return;
    }
    // Nothing was written, so what was decided on top of the turn's events never was.
    l->state.reset();
    auto items = std::exchange(now.items, {});
    const auto answer_keyed = [&](result<bus::command_reply> reply) {
        auto keyed = std::move(items[*now.keyed].who);
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(*now.keyed));
        keyed->answer(std::move(reply));
    };
    if (written) {
        answer_keyed(bus::decode_answer(*written->stored_answer));
        decide_again(*l, std::move(items), {}, false);
    } else if (const error& why = written.error(); why.code == store::store_errc::key_conflict) {
        answer_keyed(std::unexpected{bus::key_reused()});
        decide_again(*l, std::move(items), {}, false);
    } else if (why.code == store::store_errc::version_conflict) {
        conflicts.add();
        decide_again(*l, std::move(items), changes_too_often(why), true);
    } else if (why.code == store::store_errc::invalid_request && items.size() > 1) {
        // One of them is to blame: each gets its own append.
        for (auto& item : items) item.who->alone = true;
        decide_again(*l, std::move(items), {}, false);
    } else {
        error answer = why;
        if (why.code == store::store_errc::invalid_request) {
            answer = {bus::bus_errc::handler_failed, "the command's handler failed",
                      "its events cannot be written: " + why.client};
        }
        // A refusal below the first write stands, unless the log had to prove it; what was decided
        // on top of a write does not.
        std::vector<turn_item> on_top;
        bool wrote = false;
        for (std::size_t i = 0; i < items.size(); ++i) {
            auto& item = items[i];
            if (item.events != 0 || now.keyed == i) {
                wrote = true;
                item.who->answer(std::unexpected{answer});
            } else if (wrote) {
                on_top.push_back(std::move(item));
            } else if (log.shared()) {
                item.who->answer(std::unexpected{answer});
            } else if (item.refused) {
                item.who->answer(std::unexpected{std::move(*item.refused)});
            } else {
                store::append_outcome nothing;
                nothing.pos = log.head();
                item.who->answer(reply_to(item, *now.texts, nothing));
            }
        }
        decide_again(*l, std::move(on_top), answer, true);
    }
    end_turn(l);
}

}  // namespace flexcore::domain
