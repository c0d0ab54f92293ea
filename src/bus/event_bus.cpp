#include "bus/event_bus.hpp"

#include "bus/errc.hpp"
#include "bus/event_ring_impl.hpp"

#include <mutex>

namespace flexcore::bus {
namespace {

/// A follower writes out what it took at once, so this bounds how far it is ahead of its client.
constexpr std::size_t taken_bytes_max = 256u << 10;

bool matches_everything(const store::log_filter& filter) noexcept {
    return !filter.tenant && !filter.since && filter.what.empty();
}

bool matches(const store::log_filter& filter, const store::recorded_event& event) noexcept {
    return (!filter.tenant || *filter.tenant == event.tenant) &&
           (!filter.since || event.recorded_at >= *filter.since) &&
           store::matches(filter.what, event);
}

const std::shared_ptr<const store::event_batch>& no_events() {
    static const auto none = std::make_shared<const store::event_batch>();
    return none;
}

}  // namespace

struct event_bus::state {
    state(const event_bus_settings& s, store::event_log& l, telemetry::metrics& metrics)
        : settings{s},
          log{l},
          ring{s, l.head()},
          following{metrics.gauge_for("flexcore_event_subscribers", "Followers of the log")},
          from_memory{metrics.counter_for("flexcore_event_takes_total",
                                          "Reads by followers of the log, by source",
                                          {{"source", "memory"}})},
          from_log{metrics.counter_for("flexcore_event_takes_total",
                                       "Reads by followers of the log, by source",
                                       {{"source", "log"}})},
          published{metrics.counter_for("flexcore_events_published_total", "Events committed")} {}

    const event_bus_settings settings;
    store::event_log& log;
    event_ring ring;
    using listener_list = std::vector<store::commit_listener>;
    std::mutex listeners_mutex;
    std::shared_ptr<const listener_list> listeners = std::make_shared<listener_list>();
    std::atomic<std::size_t> subscribers{0};

    [[nodiscard]] std::shared_ptr<const listener_list> listening() {
        const std::lock_guard lock{listeners_mutex};
        return listeners;
    }
    telemetry::gauge& following;
    telemetry::counter& from_memory;
    telemetry::counter& from_log;
    telemetry::counter& published;
};

event_bus::event_bus(event_bus_settings settings, store::event_log& log,
                     telemetry::metrics& metrics)
    : state_{std::make_shared<state>(settings, log, metrics)} {
    log.on_commit([state = state_](const store::commit& commit) {
        const auto all = state->listening();
        for (const auto& listener : *all) listener(commit);
        if (commit.passed_over_to != 0) state->ring.pass_over(commit.passed_over_to);
        state->ring.publish(commit.batch);
        state->published.add(static_cast<double>(commit.batch->events.size()));
    });
    // Another server may have written between the look at the log's head and here.
    state_->ring.begin_at(log.head());
}

event_bus::~event_bus() = default;

void event_bus::on_commit(store::commit_listener listener) {
    const std::lock_guard lock{state_->listeners_mutex};
    auto more = std::make_shared<state::listener_list>(*state_->listeners);
    more->push_back(std::move(listener));
    state_->listeners = std::move(more);
}

store::position event_bus::head() const noexcept { return state_->ring.head(); }

struct subscriber::state {
    std::shared_ptr<event_bus::state> bus;
    store::log_filter filter;
    store::position seen = 0;
    bool everything = false;  // the filter lets all through: batches are handed on as they are
};

result<std::unique_ptr<subscriber>> event_bus::subscribe(store::log_filter filter,
                                                         store::position after) {
    if (state_->subscribers.fetch_add(1) >= state_->settings.subscribers_max) {
        state_->subscribers.fetch_sub(1);
        return fail(bus_errc::busy, "too many followers of the log; try again later");
    }
    state_->following.set(static_cast<double>(state_->subscribers.load()));
    auto made = std::make_unique<subscriber::state>();
    made->bus = state_;
    made->everything = matches_everything(filter);
    made->filter = std::move(filter);
    made->seen = after;
    return std::unique_ptr<subscriber>{new subscriber{std::move(made)}};
}

subscriber::subscriber(std::unique_ptr<state> made) : state_{std::move(made)} {}

subscriber::~subscriber() {
    cancel_wait();
    state_->bus->subscribers.fetch_sub(1);
    state_->bus->following.set(static_cast<double>(state_->bus->subscribers.load()));
}

std::optional<subscriber::taken> subscriber::take_live(std::size_t limit) {
    auto& my = *state_;
    const event_ring& ring = my.bus->ring;
    taken got{no_events(), my.seen, true};
    if (my.seen >= ring.head()) return got;
    // What was committed may not be served any more: the log knows.
    if (my.filter.tenant && my.bus->log.retains(*my.filter.tenant)) return std::nullopt;

    // A filter that lets little through still looks at a fair piece of the ring per call.
    const auto batches = ring.batches_after(my.seen, std::max<std::size_t>(limit, 1'024));
    if (batches.empty()) return std::nullopt;
    my.bus->from_memory.add();
    const auto& first = batches.front();
    if (my.everything && first->events.front().pos > my.seen && first->events.size() <= limit &&
        first->bytes <= taken_bytes_max) {
        got.batch = first;
        my.seen = first->events.back().pos;
    } else {
        auto chosen = std::make_shared<store::event_batch>();
        const auto is_enough = [&] {
            return chosen->events.size() == limit || chosen->bytes >= taken_bytes_max;
        };
        for (const auto& batch : batches) {
            const std::size_t before = chosen->events.size();
            for (const auto& event : batch->events) {
                if (event.pos <= my.seen) continue;
                if (is_enough()) break;
                my.seen = event.pos;
                if (!matches(my.filter, event)) continue;
                chosen->events.push_back(event);
                chosen->bytes += store::text_bytes(event);
            }
            if (chosen->events.size() > before) chosen->backing.push_back(batch);
            if (is_enough()) break;
        }
        if (!chosen->events.empty()) got.batch = std::move(chosen);
    }
    got.seen_to = my.seen;
    got.at_head = my.seen >= ring.head();
    return got;
}

result<subscriber::taken> subscriber::take(std::size_t limit) {
    if (auto live = take_live(limit)) return std::move(*live);
    auto& my = *state_;
    auto page = my.bus->log.read_log(my.filter, my.seen, limit, store::direction::forward);
    if (!page) return std::unexpected{std::move(page.error())};
    my.bus->from_log.add();
    my.seen = std::max(my.seen, page->scanned_to);
    if (!page->batch) page->batch = no_events();
    return taken{std::move(page->batch), my.seen, my.seen >= my.bus->ring.head()};
}

void subscriber::wait(std::move_only_function<void()> wake) {
    state_->bus->ring.wait(this, state_->seen, std::move(wake));
}

void subscriber::cancel_wait() { state_->bus->ring.cancel_wait(this); }

store::position subscriber::seen() const noexcept { return state_->seen; }

}  // namespace flexcore::bus
