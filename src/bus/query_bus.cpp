#include "bus/query_bus.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "base/nearest.hpp"
#include "bus/command_metadata_impl.hpp"
#include "bus/query_flight_impl.hpp"
#include "bus/query_views_impl.hpp"

#include <boost/uuid/name_generator_sha1.hpp>

#include <shared_mutex>

namespace flexcore::bus {
namespace {

/// Of a name that nobody knows, as much is said back.
constexpr std::size_t name_bytes_said = 255;
constexpr int attempts_max = 3;  // of a handler whose reads did not see one moment

/// 128 bits of a hash over the data, the same in every process.
std::string etag_of(std::string_view data) {
    static const boost::uuids::name_generator_sha1 hash{boost::uuids::ns::oid()};
    const auto bytes = hash(data.data(), data.size());
    constexpr std::string_view digits = "0123456789abcdef";
    std::string tag = "W/\"";
    for (const std::uint8_t byte : bytes) {
        tag += digits[byte >> 4];
        tag += digits[byte & 15];
    }
    tag += '"';
    return tag;
}

std::shared_ptr<const query_answer> answer_of(std::string_view data, store::position pos) {
    auto made = std::make_shared<query_answer>();
    made->body.reserve(data.size() + 40);
    made->body += R"({"data":)";
    made->body += data;
    made->body += R"(,"position":)";
    json::append_number(made->body, pos);
    made->body += '}';
    made->etag = etag_of(data);
    made->pos = pos;
    return made;
}

result<void> check_params(const query& q, const registered_query& entry) {
    if (json::slice{q.params}.type() != json::kind::object) {
        return fail(invalid("", "the parameters are not an object"));
    }
    if (!entry.about.params_schema) return {};
    const auto value = json::to_value(q.params);
    if (!value) return fail(invalid("", value.error().client));
    const auto violations = entry.about.params_schema->validate(*value);
    if (violations.empty()) return {};
    error e = violations_to_error(violations, "/params");
    e.code = make_error_code(bus_errc::validation_failed);
    return fail(std::move(e));
}

}  // namespace

struct query_bus::state : std::enable_shared_from_this<query_bus::state> {
    state(query_settings s, store::view_store& v, read_model_progress& p, change_counters& c,
          const authorizer& a, runtime::executor& w, runtime::timers& t, telemetry::metrics& m)
        : settings{s},
          views{v},
          progress{p},
          changes{c},
          auth{a},
          workers{w},
          timers{t},
          metrics{m},
          cache{s.cache_bytes_max, c},
          unknown{m.counter_for("flexcore_queries_total", "Queries answered, by name and outcome",
                                {{"query", "unknown"}, {"outcome", "not_found"}})} {
        m.gauge_from("flexcore_query_cache_bytes", "Bytes the query cache holds", {},
                     [bytes = cache.bytes_source()] { return static_cast<double>(bytes->load()); });
    }

    const query_settings settings;
    store::view_store& views;
    read_model_progress& progress;
    change_counters& changes;
    const authorizer& auth;
    runtime::executor& workers;
    runtime::timers& timers;
    telemetry::metrics& metrics;
    query_cache cache;
    query_flights flights;
    telemetry::counter& unknown;
    const std::shared_ptr<std::atomic<std::size_t>> in_flight =
        std::make_shared<std::atomic<std::size_t>>(0);

    struct hashed {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const noexcept {
            return std::hash<std::string_view>{}(name);
        }
    };
    mutable std::shared_mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<registered_query>, hashed, std::equal_to<>>
        queries;
    std::uint64_t last_number = 0;

    [[nodiscard]] std::shared_ptr<const registered_query> find(std::string_view name) const {
        const std::shared_lock lock{mutex};
        const auto found = queries.find(name);
        return found == queries.end() ? nullptr : found->second;
    }

    [[nodiscard]] error unknown_query(std::string_view name) const {
        std::vector<std::string> names;
        {
            const std::shared_lock lock{mutex};
            for (const auto& [one, entry] : queries) names.push_back(one);
        }
        std::sort(names.begin(), names.end());
        const std::string near = did_you_mean(name, names);
        return {bus_errc::unknown_query, "There is no query " +
                                             to_utf8(name.substr(0, name_bytes_said)) +
                                             (near.empty() ? "." : near)};
    }

    [[nodiscard]] static query_key key_of(const query& q, const registered_query& entry,
                                          std::string_view params) noexcept {
        return {entry.number, q.who.tenant,
                entry.about.varies_by_principal ? std::string_view{q.who.principal}
                                                : std::string_view{},
                params};
    }

    /// Whether the read models are where the query wants them. Asked before the cache is looked
    /// at: the projector bumps the change counters before it moves on.
    [[nodiscard]] bool far_enough(const query& q, const registered_query& entry) const {
        return q.min_position == 0 || progress.reached(entry.about.reads) >= q.min_position;
    }

    /// What the cache has, as it may be given now; null when it has nothing, or nothing that may.
    [[nodiscard]] std::shared_ptr<const query_answer> cached(const query_key& key) {
        const auto hit = cache.find(key);
        if (!hit) return nullptr;
        const auto unseen = views.unseen_for();
        if (unseen == monotonic::duration{}) return hit->answer;
        if (unseen > settings.stale_if_error) return nullptr;
        auto aged = std::make_shared<query_answer>(*hit->answer);
        aged->age = std::chrono::ceil<std::chrono::seconds>(unseen);
        return aged;
    }

    void ask(query q, std::shared_ptr<const registered_query> entry, query_done done);
    void fly(query q, std::shared_ptr<const registered_query> entry,
             std::shared_ptr<query_waiter> waiter);
    void run(std::shared_ptr<query_flight>);
    void land(const std::shared_ptr<query_flight>&, recorded_views&, result<std::string> data);
};

namespace {

/// The handler's way back. When it is dropped unused, so is the flight, and with it its waiters'
/// last owner: they are answered handler_failed.
template <class State>
struct landing {
    std::shared_ptr<State> bus;
    std::shared_ptr<query_flight> flight;
    std::shared_ptr<recorded_views> views;

    void operator()(result<std::string> data) {
        if (!flight) return;  // a second completion
        const auto mine = std::move(flight);
        views->close();
        bus->land(mine, *views, std::move(data));
    }
};

}  // namespace

void query_bus::state::ask(query q, std::shared_ptr<const registered_query> entry,
                           query_done done) {
    const auto now = monotonic::now();
    // Waiting for a position is the client's choice and has its own bound; the handler's time
    // begins after it.
    if (q.until == no_deadline)
        q.until = now + settings.timeout + (q.min_position == 0 ? monotonic::duration{} : q.wait);
    const bool admitted =
        in_flight->fetch_add(1, std::memory_order_relaxed) < settings.in_flight_max;
    auto waiter = std::make_shared<query_waiter>(entry, std::move(done), q.until, in_flight);
    if (!admitted) {
        waiter->answer(fail(bus_errc::busy, "too many queries are in progress; try again shortly"));
        return;
    }
    if (auto ok = check_params(q, *entry); !ok) {
        waiter->answer(std::unexpected{std::move(ok.error())});
        return;
    }
    if (auto ok = auth.may(q.who, "query", q.name); !ok) {
        waiter->answer(std::unexpected{std::move(ok.error())});
        return;
    }
    if (far_enough(q, *entry)) return fly(std::move(q), std::move(entry), std::move(waiter));

    const auto pos = q.min_position;
    const auto until = std::min(q.until, now + q.wait);
    // Copied, not moved: the call may run `reads` and the callback that owns them in any order.
    const auto kept = entry;
    progress.when_reached(
        kept->about.reads, pos, until,
        [self = shared_from_this(), q = std::move(q), entry = std::move(entry),
         waiter = std::move(waiter)](bool reached) mutable {
            if (reached) {
                self->fly(std::move(q), std::move(entry), std::move(waiter));
                return;
            }
            const auto stands = self->progress.reached(entry->about.reads);
            waiter->answer(std::unexpected{error{bus_errc::read_model_behind,
                                                 "the read model has not reached min_position yet"}
                                               .with("position", stands)});
        });
}

void query_bus::state::fly(query q, std::shared_ptr<const registered_query> entry,
                           std::shared_ptr<query_waiter> waiter) {
    auto flight = std::make_shared<query_flight>();
    flight->params = canonical_params(q.params);
    if (entry->about.cache) {
        const bool alias = flight->params != q.params;
        if (auto hit = cached(key_of(q, *entry, flight->params))) {
            waiter->answer(std::move(hit), outcome::cached);
            if (!alias) return;
            if (auto kept = cache.find(key_of(q, *entry, flight->params)))
                cache.put(key_of(q, *entry, q.params), std::move(kept));
            return;
        }
    }
    waiter->timer = timers.at(waiter->until, [weak = std::weak_ptr{waiter}] {
        if (const auto late = weak.lock()) {
            late->answer(fail(bus_errc::deadline_exceeded, "the query was not done in time"));
        }
    });
    flight->asked = std::move(q);
    flight->entry = std::move(entry);
    flight->waiters.push_back(std::move(waiter));
    // A query that is not cached may answer each time something else.
    if (flight->entry->about.cache && flights.join(flight)) return;
    workers.post([self = shared_from_this(), flight = std::move(flight)]() mutable {
        self->run(std::move(flight));
    });
}

void query_bus::state::run(std::shared_ptr<query_flight> flight) {
    flights.begin(flight);
    if (std::all_of(flight->waiters.begin(), flight->waiters.end(),
                    [](const auto& waiter) { return waiter->answered(); })) {
        return;
    }
    const auto entry = flight->entry;
    if (entry->removed.load()) {
        for (auto& waiter : flight->waiters) {
            waiter->answer(fail(bus_errc::unavailable, "the query was withdrawn"));
        }
        return;
    }
    auto reads = std::make_shared<recorded_views>(views, changes, flight->asked.who.tenant,
                                                  entry->about.reads);
    ++flight->attempts;
    // The handler may finish, and others go on, before `handle` returns: it keeps its own query.
    const auto asked = std::shared_ptr<const query>{flight, &flight->asked};
    entry->handler->handle(*asked, *reads,
                           landing<state>{shared_from_this(), std::move(flight), reads});
    reads->release_snapshot();
}

void query_bus::state::land(const std::shared_ptr<query_flight>& flight, recorded_views& reads,
                            result<std::string> data) {
    if (!data && reads.moved() && flight->attempts < attempts_max) {
        workers.post([self = shared_from_this(), flight] { self->run(flight); });
        return;
    }
    result<std::shared_ptr<const query_answer>> answer;
    if (!data) {
        answer = std::unexpected{std::move(data.error())};
    } else {
        answer = answer_of(*data, reads.pos());
        const auto& entry = *flight->entry;
        if (entry.about.cache && !reads.failed() && !entry.removed.load()) {
            auto kept = std::make_shared<cached_answer>();
            kept->answer = *answer;
            kept->seen = reads.seen();
            kept->read = reads.read();
            if (kept->holds(changes)) {
                cache.put(flight->key(), kept);
                if (flight->params != flight->asked.params) {
                    cache.put(key_of(flight->asked, entry, flight->asked.params), kept);
                }
            }
        }
    }
    for (auto& waiter : flight->waiters) {
        if (waiter->timer != 0) timers.cancel(waiter->timer);
        waiter->answer(answer);
    }
}

query_bus::query_bus(query_settings settings, store::view_store& views,
                     read_model_progress& progress, change_counters& changes,
                     const authorizer& auth, runtime::executor& workers, runtime::timers& timers,
                     telemetry::metrics& metrics)
    : state_{std::make_shared<state>(settings, views, progress, changes, auth, workers, timers,
                                     metrics)} {}

query_bus::~query_bus() = default;

result<void> query_bus::add(query_descriptor about, std::shared_ptr<query_handler> handler) {
    const std::unique_lock lock{state_->mutex};
    if (state_->queries.contains(about.name)) {
        return fail(bus_errc::duplicate_name, "query " + about.name + " exists already");
    }
    auto entry = std::make_shared<registered_query>(std::move(about), std::move(handler),
                                                    ++state_->last_number, state_->metrics);
    state_->queries.emplace(entry->about.name, entry);
    return {};
}

void query_bus::remove(std::string_view name) {
    std::shared_ptr<registered_query> removed;
    {
        const std::unique_lock lock{state_->mutex};
        const auto found = state_->queries.find(name);
        if (found == state_->queries.end()) return;
        removed = std::move(found->second);
        state_->queries.erase(found);
    }
    removed->removed.store(true);
    state_->cache.forget(removed->number);
}

std::vector<query_descriptor> query_bus::catalogue() const {
    std::vector<query_descriptor> all;
    {
        const std::shared_lock lock{state_->mutex};
        all.reserve(state_->queries.size());
        for (const auto& [name, entry] : state_->queries) all.push_back(entry->about);
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
}

result<query_descriptor> query_bus::find(std::string_view name) const {
    const auto entry = state_->find(name);
    if (!entry) return fail(state_->unknown_query(name));
    return entry->about;
}

void query_bus::ask(query q, query_done done) {
    auto entry = state_->find(q.name);
    if (!entry) {
        state_->unknown.add();
        done(fail(state_->unknown_query(q.name)));
        return;
    }
    if (q.params.empty()) q.params = "{}";
    // Parameters are known valid when an answer is kept under this very text of them.
    if (entry->about.cache && state_->far_enough(q, *entry)) {
        if (auto hit = state_->cached(state::key_of(q, *entry, q.params))) {
            if (auto ok = state_->auth.may(q.who, "query", q.name); !ok) {
                entry->answered[outcome_of(ok.error())].add();
                done(std::unexpected{std::move(ok.error())});
                return;
            }
            entry->answered[outcome::cached].add();
            done(std::move(hit));
            return;
        }
    }
    state_->ask(std::move(q), std::move(entry), std::move(done));
}

namespace {

/// A row's place in the cache, good until the thread's next one.
query_key place_of_row(std::string_view tenant, std::string_view model, std::string_view key) {
    // Queries count from 1. A model's name holds no zero, so the two texts stay apart.
    constexpr std::uint64_t rows = 0;
    thread_local std::string which;
    which.assign(model).append(1, '\0').append(key);
    return {rows, tenant, {}, which};
}

}  // namespace

std::shared_ptr<const query_answer> query_bus::row_in_cache(std::string_view tenant,
                                                            std::string_view model,
                                                            std::string_view key) {
    return state_->cached(place_of_row(tenant, model, key));
}

result<std::shared_ptr<const query_answer>> query_bus::row(std::string_view tenant,
                                                           std::string_view model,
                                                           std::string_view key, row_body body_of) {
    const query_key place = place_of_row(tenant, model, key);
    if (auto hit = state_->cached(place)) return hit;

    // The number comes before the snapshot: a change between the two is seen, and counts as one.
    auto kept = std::make_shared<cached_answer>();
    kept->seen = state_->changes.last();
    kept->read = {change_counters::row_slot(tenant, model, key)};
    auto from = state_->views.read();
    if (!from) return fail(std::move(from.error()));
    const auto found = (*from)->get(tenant, model, key);
    if (!found) return fail(found.error());
    if (!*found) return fail(bus_errc::not_found, "The read model has no row with this key.");
    auto made = std::make_shared<query_answer>();
    made->body = body_of(**found);
    made->etag = etag_of((*found)->json);
    made->pos = (*found)->pos;
    kept->answer = std::move(made);
    auto answer = kept->answer;
    if (kept->holds(state_->changes)) state_->cache.put(place, std::move(kept));
    return answer;
}

}  // namespace flexcore::bus
