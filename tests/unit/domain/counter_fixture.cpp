#include "unit/domain/counter_fixture.hpp"

#include "base/json.hpp"

#include <sstream>

namespace flexcore::test {

std::int64_t number_in(std::string_view object, std::string_view name) {
    std::vector<json::member> members;
    json::members_of(json::slice{object}, members);
    for (const auto& m : members) {
        if (m.named(name)) return m.value.integer().value_or(-1);
    }
    return -1;
}

counter_behavior::state::state(counter_behavior& b) : of{b} { of.states.fetch_add(1); }

counter_behavior::state::~state() { of.states.fetch_sub(1); }

std::size_t counter_behavior::state::bytes() const noexcept { return 1'000; }

namespace {

std::unexpected<error> refusal(const char* reason) {
    return fail(error{bus::bus_errc::command_rejected, "refused"}.with("reason", reason));
}

}  // namespace

counter_behavior::counter_behavior() = default;

counter_behavior::~counter_behavior() {
    for (auto& thread : threads_) thread.join();
}

result<std::unique_ptr<domain::aggregate_state>> counter_behavior::initial() {
    return std::make_unique<state>(*this);
}

std::optional<std::string> counter_behavior::snapshot(const domain::aggregate_state& raw) {
    const auto& my = static_cast<const state&>(raw);
    snapshots.fetch_add(1);
    return std::to_string(my.total) + " " + std::to_string(my.folded);
}

result<std::unique_ptr<domain::aggregate_state>> counter_behavior::restore(std::string_view bytes) {
    if (refuse_snapshots.load()) {
        return fail(domain::domain_errc::behavior_failed, "not this one");
    }
    restored.fetch_add(1);
    auto made = std::make_unique<state>(*this);
    std::istringstream in{std::string{bytes}};
    in >> made->total >> made->folded;
    return made;
}

result<void> counter_behavior::evolve(domain::aggregate_state& raw,
                                      std::span<const store::recorded_event> events) {
    auto& my = static_cast<state&>(raw);
    evolved.fetch_add(static_cast<int>(events.size()));
    for (const auto& event : events) {
        if (!event.id.is_nil() || event.pos != 0 || event.recorded_at != 0 ||
            event.ver != static_cast<store::version>(my.folded) + 1) {
            broken_folds.fetch_add(1);
        }
        if (event.type == "counter.unfoldable") {
            return fail(domain::domain_errc::behavior_failed, "cannot fold", "at all");
        }
        ++my.folded;
        my.total += number_in(event.data, "by");
    }
    return {};
}

void counter_behavior::decide(const domain::aggregate_state& raw,
                              const bus::accepted_command& command, domain::decided done) {
    decided.fetch_add(1);
    const auto& my = static_cast<const state&>(raw);
    const std::string& what = command.cmd.type;
    if (what == "refuse") return done(refusal("asked"));
    if (what == "add_if_even" && my.total % 2 != 0) return done(refusal("odd"));
    if (what == "fail") {
        return done(fail(domain::domain_errc::behavior_failed, "broke", "secret"));
    }
    if (what == "invalid") {
        return done(fail(bus::bus_errc::validation_failed, "wrong in itself"));
    }
    if (what == "drop") return;
    if (what == "silent" || what == "blocked") {
        {
            const std::lock_guard lock{mutex};
            silent.push_back(std::move(done));
        }
        (void)eventually([&] { return what == "silent" || go_on.load(); });
        return;
    }
    if (what == "later") {
        const std::lock_guard lock{mutex};
        threads_.emplace_back([this, &my, &command, done = std::move(done)]() mutable {
            later_running.fetch_add(1);
            (void)eventually([&] { return later_running.load() >= later_together.load(); });
            done(add(my, command, "counter.added"));
        });
        return;
    }
    if (what == "none") {
        domain::decision nothing;
        nothing.result = std::to_string(my.total);
        return done(std::move(nothing));
    }
    done(add(my, command,
             what == "unfoldable" ? "counter.unfoldable"
             : what == "nameless" ? ""
                                  : "counter.added"));
}

domain::decision counter_behavior::add(const state& my, const bus::accepted_command& command,
                                       std::string_view type) {
    domain::decision made;
    made.texts = std::make_shared<bytes_arena>();
    const auto by = number_in(command.cmd.data, "by");
    store::new_event event{};
    event.type = made.texts->keep(type);
    event.data = made.texts->keep("{\"by\":" + std::to_string(by) +
                                  ",\"before\":" + std::to_string(my.total) + "}");
    event.metadata = made.texts->keep(R"({"causation_id":"forged","own":1})");
    made.events.push_back(event);
    made.result = std::to_string(my.total + by);
    return made;
}

steered_log::steered_log(store::event_log& under) : under_{under} {}

steered_log::~steered_log() = default;

void steered_log::before(before_append hook) {
    const std::lock_guard lock{mutex_};
    hook_ = std::move(hook);
}

void steered_log::hold() {
    const std::lock_guard lock{mutex_};
    holding_ = true;
}

void steered_log::release(bool keep_holding) {
    std::deque<queued> all;
    {
        const std::lock_guard lock{mutex_};
        holding_ = keep_holding;
        all.swap(held_);
    }
    for (auto& [request, done] : all) under_.append(std::move(request), std::move(done));
}

std::size_t steered_log::held() const {
    const std::lock_guard lock{mutex_};
    return held_.size();
}

std::size_t steered_log::events_held() const {
    const std::lock_guard lock{mutex_};
    std::size_t events = 0;
    for (const auto& entry : held_) events += entry.request.appends.at(0).events.size();
    return events;
}

void steered_log::append(store::append_request request, store::append_done done) {
    appends.fetch_add(1);
    before_append hook;
    {
        const std::lock_guard lock{mutex_};
        if (holding_) {
            held_.push_back({std::move(request), std::move(done)});
            return;
        }
        hook = hook_;
    }
    if (hook) {
        if (auto refused = hook(request)) return done(std::unexpected{std::move(*refused)});
    }
    under_.append(std::move(request), std::move(done));
}

void steered_log::append_all(std::vector<queued> all) {
    for (auto& [request, done] : all) append(std::move(request), std::move(done));
}

result<store::stream_page> steered_log::read_stream(std::string_view tenant,
                                                    std::string_view stream, store::version from,
                                                    std::size_t limit, store::direction way) {
    stream_reads.fetch_add(1);
    return under_.read_stream(tenant, stream, from, limit, way);
}

result<store::stream_page> steered_log::read_history(std::string_view tenant,
                                                     std::string_view stream, store::version from,
                                                     std::size_t limit) {
    stream_reads.fetch_add(1);
    return under_.read_history(tenant, stream, from, limit);
}

void steered_log::keep_history(std::string_view category) { under_.keep_history(category); }

bool steered_log::retains(std::string_view tenant) const noexcept { return under_.retains(tenant); }

result<store::log_page> steered_log::read_log(const store::log_filter& filter,
                                              store::position after, std::size_t limit,
                                              store::direction way) {
    return under_.read_log(filter, after, limit, way);
}

result<std::shared_ptr<const store::event_batch>> steered_log::read_event(std::string_view tenant,
                                                                          const uuid& id) {
    return under_.read_event(tenant, id);
}

result<store::stream_info> steered_log::stream(std::string_view tenant, std::string_view name) {
    return under_.stream(tenant, name);
}

result<store::stream_list> steered_log::streams(std::string_view tenant, std::string_view category,
                                                std::string_view prefix, std::string_view after,
                                                std::size_t limit) {
    return under_.streams(tenant, category, prefix, after, limit);
}

result<std::optional<store::event_log::stored_answer>> steered_log::find_answer(
    std::string_view tenant, std::string_view key) {
    if (forgetful.load()) return std::nullopt;
    return under_.find_answer(tenant, key);
}

store::position steered_log::head() const noexcept { return under_.head(); }

result<store::position> steered_log::end() { return under_.end(); }

void steered_log::on_commit(store::commit_listener listener) {
    under_.on_commit(std::move(listener));
}

void steered_log::stop() { under_.stop(); }

aggregate_world::aggregate_world(domain::aggregate_settings settings)
    : runtime{settings, log, events, base.workers, base.metrics, base.store.snapshots.get()} {
    REQUIRE(runtime.add({.category = "counter", .reducer_version = 1, .plugin = "test"}, counter));
}

aggregate_world::~aggregate_world() {
    log.release();
    base.stop();
    const std::lock_guard lock{counter->mutex};
    counter->silent.clear();
}

bus::accepted_command aggregate_world::command(std::string type, std::int64_t by,
                                               const std::string& id) {
    bus::accepted_command made;
    made.cmd.type = std::move(type);
    made.cmd.aggregate_id = id;
    made.cmd.data = "{\"by\":" + std::to_string(by) + "}";
    made.cmd.command_id = uuid_v7();
    made.cmd.metadata = R"({"causation_id":"c"})";
    made.cmd.fingerprint = made.cmd.type + made.cmd.data;
    made.cmd.until = monotonic::now() + patience;
    made.category = "counter";
    made.stream = "counter-" + id;
    return made;
}

reply_box aggregate_world::send(bus::accepted_command what) {
    reply_box box;
    runtime.execute(std::move(what), box.receiver());
    return box;
}

reply_box aggregate_world::send(std::string type, std::int64_t by, const std::string& id) {
    return send(command(std::move(type), by, id));
}

result<store::append_outcome> aggregate_world::raw(std::int64_t by, const std::string& id,
                                                   const std::string& type) {
    return append(*base.store.log, "counter-" + id,
                  {{.type = type, .data = "{\"by\":" + std::to_string(by) + "}", .tags = {}}});
}

std::string reason_of(const result<bus::command_reply>& reply) {
    if (reply || !reply.error().members) return "";
    const auto* reason = reply.error().members->if_contains("reason");
    return reason != nullptr ? std::string{reason->as_string()} : "";
}

}  // namespace flexcore::test
