// An aggregate for tests whose commands say what shall happen, over a log that can be made to fail.
//
// Commands (data {"by":n}):  add; add_if_even (refused "odd"); refuse (reason "asked"); none (no
// events, result is the total); invalid (validation_failed); fail, drop (behavior breaks), silent
// (never completes), blocked (the same, and does not return until `go_on`), later (completes on
// another thread), unfoldable (an event that evolve refuses), nameless (an event the
// store refuses). Events carry {"by":n,"before":total}: what the decision was based on.
#pragma once

#include "base/json.hpp"
#include "domain/aggregate_runtime.hpp"
#include "unit/bus/fixture.hpp"

#include <atomic>
#include <deque>
#include <sstream>

namespace flexcore::test {

inline std::int64_t number_in(std::string_view object, std::string_view name) {
    std::vector<json::member> members;
    json::members_of(json::slice{object}, members);
    for (const auto& m : members) {
        if (m.named(name)) return m.value.integer().value_or(-1);
    }
    return -1;
}

class counter_behavior final : public domain::aggregate_behavior {
public:
    struct state final : domain::aggregate_state {
        explicit state(counter_behavior& b) : of{b} { of.states.fetch_add(1); }
        ~state() override { of.states.fetch_sub(1); }
        [[nodiscard]] std::size_t bytes() const noexcept override { return 1'000; }
        counter_behavior& of;
        std::int64_t total = 0;
        std::int64_t folded = 0;
    };

    ~counter_behavior() override {
        for (auto& thread : threads_) thread.join();
    }

    result<std::unique_ptr<domain::aggregate_state>> initial() override {
        return std::make_unique<state>(*this);
    }
    std::optional<std::string> snapshot(const domain::aggregate_state& raw) override {
        const auto& my = static_cast<const state&>(raw);
        snapshots.fetch_add(1);
        return std::to_string(my.total) + " " + std::to_string(my.folded);
    }
    result<std::unique_ptr<domain::aggregate_state>> restore(std::string_view bytes) override {
        if (refuse_snapshots.load()) {
            return fail(domain::domain_errc::behavior_failed, "not this one");
        }
        restored.fetch_add(1);
        auto made = std::make_unique<state>(*this);
        std::istringstream in{std::string{bytes}};
        in >> made->total >> made->folded;
        return made;
    }
    result<void> evolve(domain::aggregate_state& raw,
                        std::span<const store::recorded_event> events) override {
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
    void decide(const domain::aggregate_state& raw, const bus::accepted_command& command,
                domain::decided done) override {
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

    std::atomic<int> states{0};
    std::atomic<int> decided{0};
    std::atomic<int> evolved{0};  ///< events folded
    std::atomic<int> snapshots{0};
    std::atomic<int> restored{0};
    std::atomic<bool> refuse_snapshots{false};
    std::atomic<int> broken_folds{0};
    std::atomic<int> later_running{0};
    std::atomic<int> later_together{0};
    std::atomic<bool> go_on{false};
    std::mutex mutex;
    std::vector<domain::decided> silent;

private:
    static std::unexpected<error> refusal(const char* reason) {
        return fail(error{bus::bus_errc::command_rejected, "refused"}.with("reason", reason));
    }
    static domain::decision add(const state& my, const bus::accepted_command& command,
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
    std::vector<std::thread> threads_;
};

/// A log whose appends can be held, failed or preceded by something; counts.
class steered_log final : public store::event_log {
public:
    explicit steered_log(store::event_log& under) : under_{under} {}

    using before_append = std::function<std::optional<error>(const store::append_request&)>;
    /// Runs before each append is passed on; an error answers it instead.
    void before(before_append hook) {
        const std::lock_guard lock{mutex_};
        hook_ = std::move(hook);
    }
    void hold() {
        const std::lock_guard lock{mutex_};
        holding_ = true;
    }
    /// Passes on what is held; `keep_holding`: what comes after is held again.
    void release(bool keep_holding = false) {
        std::deque<queued> all;
        {
            const std::lock_guard lock{mutex_};
            holding_ = keep_holding;
            all.swap(held_);
        }
        for (auto& [request, done] : all) under_.append(std::move(request), std::move(done));
    }
    [[nodiscard]] std::size_t held() const {
        const std::lock_guard lock{mutex_};
        return held_.size();
    }
    [[nodiscard]] std::size_t events_held() const {
        const std::lock_guard lock{mutex_};
        std::size_t events = 0;
        for (const auto& entry : held_) events += entry.request.appends.at(0).events.size();
        return events;
    }

    void append(store::append_request request, store::append_done done) override {
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
    void append_all(std::vector<queued> all) override {
        for (auto& [request, done] : all) append(std::move(request), std::move(done));
    }
    result<store::stream_page> read_stream(std::string_view tenant, std::string_view stream,
                                           store::version from, std::size_t limit,
                                           store::direction way) override {
        stream_reads.fetch_add(1);
        return under_.read_stream(tenant, stream, from, limit, way);
    }
    result<store::stream_page> read_history(std::string_view tenant, std::string_view stream,
                                            store::version from, std::size_t limit) override {
        stream_reads.fetch_add(1);
        return under_.read_history(tenant, stream, from, limit);
    }
    void keep_history(std::string_view category) override { under_.keep_history(category); }
    [[nodiscard]] bool retains(std::string_view tenant) const noexcept override {
        return under_.retains(tenant);
    }
    result<store::log_page> read_log(const store::log_filter& filter, store::position after,
                                     std::size_t limit, store::direction way) override {
        return under_.read_log(filter, after, limit, way);
    }
    result<std::shared_ptr<const store::event_batch>> read_event(std::string_view tenant,
                                                                 const uuid& id) override {
        return under_.read_event(tenant, id);
    }
    result<store::stream_info> stream(std::string_view tenant, std::string_view name) override {
        return under_.stream(tenant, name);
    }
    result<store::stream_list> streams(std::string_view tenant, std::string_view category,
                                       std::string_view prefix, std::string_view after,
                                       std::size_t limit) override {
        return under_.streams(tenant, category, prefix, after, limit);
    }
    result<std::optional<stored_answer>> find_answer(std::string_view tenant,
                                                     std::string_view key) override {
        if (forgetful.load()) return std::nullopt;
        return under_.find_answer(tenant, key);
    }
    store::position head() const noexcept override { return under_.head(); }
    void on_commit(store::commit_listener listener) override {
        under_.on_commit(std::move(listener));
    }
    void stop() override { under_.stop(); }

    std::atomic<int> appends{0};
    std::atomic<int> stream_reads{0};
    std::atomic<bool> forgetful{false};  ///< find_answer finds nothing

private:
    store::event_log& under_;
    mutable std::mutex mutex_;
    before_append hook_;
    bool holding_ = false;
    std::deque<queued> held_;
};

using reply_box = mailbox<result<bus::command_reply>>;

struct aggregate_world {
    world base;
    steered_log log{*base.store.log};
    bus::event_bus events{{}, log, base.metrics};
    std::shared_ptr<counter_behavior> counter = std::make_shared<counter_behavior>();
    domain::aggregate_runtime runtime;

    explicit aggregate_world(domain::aggregate_settings settings = {})
        : runtime{settings, log, events, base.workers, base.metrics, base.store.snapshots.get()} {
        REQUIRE(
            runtime.add({.category = "counter", .reducer_version = 1, .plugin = "test"}, counter));
    }
    ~aggregate_world() {
        log.release();
        base.stop();
        const std::lock_guard lock{counter->mutex};
        counter->silent.clear();
    }

    [[nodiscard]] static bus::accepted_command command(std::string type, std::int64_t by = 1,
                                                       const std::string& id = "1") {
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
    reply_box send(bus::accepted_command what) {
        reply_box box;
        runtime.execute(std::move(what), box.receiver());
        return box;
    }
    reply_box send(std::string type, std::int64_t by = 1, const std::string& id = "1") {
        return send(command(std::move(type), by, id));
    }
    /// An event of another way than the lane.
    result<store::append_outcome> raw(std::int64_t by, const std::string& id = "1",
                                      const std::string& type = "counter.added") {
        return append(*base.store.log, "counter-" + id,
                      {{.type = type, .data = "{\"by\":" + std::to_string(by) + "}", .tags = {}}});
    }
};

inline std::string reason_of(const result<bus::command_reply>& reply) {
    if (reply || !reply.error().members) return "";
    const auto* reason = reply.error().members->if_contains("reason");
    return reason != nullptr ? std::string{reason->as_string()} : "";
}

}  // namespace flexcore::test
