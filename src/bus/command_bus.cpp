#include "bus/command_bus.hpp"

#include "base/json.hpp"
#include "base/names.hpp"
#include "base/nearest.hpp"
#include "bus/command_metadata_impl.hpp"
#include "bus/key_scope_impl.hpp"
#include "bus/outcome_impl.hpp"

#include <shared_mutex>
#include <utility>

namespace flexcore::bus {
namespace {

constexpr std::string_view commands_help = "Commands answered, by type and outcome";
constexpr std::size_t idempotency_key_bytes_max = 255;
/// What is checked by the thread that sends, an io thread: beyond it one command could take the
/// time of hundreds of refusals, and those would wait.
constexpr std::size_t checked_at_once_bytes_max = 256;

struct registered {
    registered(command_descriptor d, std::shared_ptr<command_handler> h,
               telemetry::metrics& metrics)
        : about{std::move(d)},
          handler{std::move(h)},
          answered{metrics, "flexcore_commands_total", commands_help, {{"type", about.type}}},
          seconds{metrics.histogram_for("flexcore_command_seconds",
                                        "From a command's arrival to its answer",
                                        telemetry::latency_bounds(), {{"type", about.type}})} {}

    const command_descriptor about;
    const std::shared_ptr<command_handler> handler;
    const outcome_counters answered;
    telemetry::histogram& seconds;
};

}  // namespace

struct command_bus::state {
    state(command_settings s, const authorizer& a, inline_gate& g, key_registry& k,
          runtime::timers& t, telemetry::metrics& m)
        : settings{s},
          auth{a},
          gate{g},
          keys{k},
          timers{t},
          metrics{m},
          unknown{m.counter_for("flexcore_commands_total", commands_help,
                                {{"type", "unknown"}, {"outcome", "not_found"}})},
          late{m.counter_for("flexcore_command_late_answers_total",
                             "Answers that came after their command's deadline")} {}

    const command_settings settings;
    const authorizer& auth;
    inline_gate& gate;
    key_registry& keys;
    runtime::timers& timers;
    telemetry::metrics& metrics;
    telemetry::counter& unknown;
    telemetry::counter& late;
    std::atomic<std::size_t> in_flight{0};

    mutable std::shared_mutex mutex;
    std::map<std::string, std::shared_ptr<const registered>, std::less<>> types;

    [[nodiscard]] std::shared_ptr<const registered> find(std::string_view type) const {
        const std::shared_lock lock{mutex};
        const auto found = types.find(type);
        return found == types.end() ? nullptr : found->second;
    }

    [[nodiscard]] error unknown_type(const std::string& type) const {
        std::vector<std::string> names;
        {
            const std::shared_lock lock{mutex};
            for (const auto& [one, entry] : types) names.push_back(one);
        }
        return {bus_errc::unknown_command,
                "there is no command type " + type + did_you_mean(type, names)};
    }
};

namespace {

/// One command between its admission and its answer, which is given exactly once: by the handler,
/// by the deadline's timer, or, when the handler loses its callback, by the destructor.
template <class State>
class flight {
public:
    flight(std::shared_ptr<State> bus, std::shared_ptr<const registered> entry, command_done done)
        : bus_{std::move(bus)}, entry_{std::move(entry)}, done_{std::move(done)} {}

    ~flight() {
        if (claim()) {
            finish(fail(bus_errc::handler_failed, "the command was not answered",
                        "the handler of " + entry_->about.type + " dropped its callback"));
        }
    }

    std::vector<key_registry::hold> holds;
    runtime::timer_id timer = 0;

    void expired() {
        if (!claim()) return;
        finish(fail(bus_errc::deadline_exceeded,
                    "the command was not done by its deadline; it may still take effect"));
    }

    static void handled(const std::shared_ptr<flight>& self, result<command_reply> reply) {
        // Before the answer: who repeats the request at once must not find it in progress.
        self->holds.clear();
        if (!self->claim()) {
            self->bus_->late.add();
            return;
        }
        if (self->timer != 0) self->bus_->timers.cancel(self->timer);
        if (reply && !reply->events.empty() && !self->bus_->gate.applied(reply->pos)) {
            const auto pos = reply->pos;
            self->bus_->gate.when_applied(
                pos, monotonic::now() + self->bus_->settings.inline_wait,
                [self, reply = std::move(reply)]() mutable { self->finish(std::move(reply)); });
            return;
        }
        self->finish(std::move(reply));
    }

    /// Only for who has claimed it.
    void finish(result<command_reply> reply) {
        bus_->in_flight.fetch_sub(1, std::memory_order_relaxed);
        const auto how = !reply            ? outcome_of(reply.error())
                         : reply->replayed ? outcome::replayed
                                           : outcome::ok;
        entry_->answered[how].add();
        entry_->seconds.observe(std::chrono::duration<double>(monotonic::now() - begun_).count());
        auto done = std::move(done_);
        done(std::move(reply));
    }
    [[nodiscard]] bool claim() noexcept { return !answered_.exchange(true); }

private:
    const std::shared_ptr<State> bus_;
    const std::shared_ptr<const registered> entry_;
    command_done done_;
    const monotonic::time_point begun_ = monotonic::now();
    std::atomic<bool> answered_{false};
};

result<void> check(const schema& data_schema, const std::string& data) {
    const auto value = json::to_value(data);
    if (!value) return fail(invalid("/data", value.error().client));
    const auto violations = data_schema.validate(*value);
    if (violations.empty()) return {};
    error e = violations_to_error(violations, "/data");
    e.code = make_error_code(bus_errc::validation_failed);
    return fail(std::move(e));
}

/// Checks a command against its catalogue entry and makes what the handler gets.
result<accepted_command> accept(command cmd, const std::shared_ptr<const registered>& entry,
                                const authorizer& auth) {
    if (cmd.aggregate_id.empty() || cmd.aggregate_id.size() > aggregate_id_bytes_max) {
        return fail(invalid("/id", "must have 1 to 255 bytes"));
    }
    accepted_command accepted;
    accepted.category = entry->about.category;
    accepted.stream = entry->about.category + "-" + cmd.aggregate_id;
    if (auto ok = check_stream_name(accepted.stream); !ok) {
        return fail(invalid("/id", ok.error().client));
    }
    if (cmd.idempotency_key.size() > idempotency_key_bytes_max) {
        return fail(bus_errc::validation_failed, "Idempotency-Key has at most 255 bytes");
    }
    if (entry->about.data_schema) {
        if (cmd.data.size() > checked_at_once_bytes_max) {
            accepted.unchecked = {entry, &*entry->about.data_schema};
        } else if (auto ok = check(*entry->about.data_schema, cmd.data); !ok) {
            return fail(std::move(ok.error()));
        }
    }
    const bool chosen = cmd.command_id.has_value();
    if (!chosen) cmd.command_id = uuid_v7();
    auto metadata = event_metadata(cmd.metadata, *cmd.command_id, cmd.who);
    if (!metadata) return fail(std::move(metadata.error()));
    if (auto ok = auth.may(cmd.who, "command", cmd.type); !ok) return fail(std::move(ok.error()));

    // The kinds differ in their first byte, so that a command's id is never another's key.
    if (chosen) {
        accepted.keys.push_back(scoped('c', cmd.who.principal, cmd.command_id->to_string()));
    }
    if (!cmd.idempotency_key.empty()) {
        accepted.keys.push_back(scoped('k', cmd.who.principal, cmd.idempotency_key));
    }
    cmd.metadata = std::move(*metadata);
    accepted.cmd = std::move(cmd);
    return accepted;
}

error too_many() {
    return {bus_errc::busy, "too many commands are in progress; try again shortly"};
}

}  // namespace

result<void> check_data(accepted_command& what) {
    const auto unchecked = std::exchange(what.unchecked, nullptr);
    return unchecked ? check(*unchecked, what.cmd.data) : result<void>{};
}

command_bus::command_bus(command_settings settings, const authorizer& auth, inline_gate& gate,
                         key_registry& keys, runtime::timers& timers, telemetry::metrics& metrics)
    : state_{std::make_shared<state>(settings, auth, gate, keys, timers, metrics)} {}

command_bus::~command_bus() = default;

result<void> command_bus::add(command_descriptor about, std::shared_ptr<command_handler> handler) {
    auto entry =
        std::make_shared<const registered>(std::move(about), std::move(handler), state_->metrics);
    const std::unique_lock lock{state_->mutex};
    if (!state_->types.try_emplace(entry->about.type, entry).second) {
        return fail(bus_errc::duplicate_name,
                    "command type " + entry->about.type + " exists already");
    }
    return {};
}

void command_bus::remove(std::string_view type) {
    std::shared_ptr<const registered> removed;  // freed behind the lock
    const std::unique_lock lock{state_->mutex};
    if (const auto found = state_->types.find(type); found != state_->types.end()) {
        removed = std::move(found->second);
        state_->types.erase(found);
    }
}

std::vector<command_descriptor> command_bus::catalogue() const {
    const std::shared_lock lock{state_->mutex};
    std::vector<command_descriptor> all;
    all.reserve(state_->types.size());
    for (const auto& [type, entry] : state_->types) all.push_back(entry->about);
    return all;
}

result<void> command_bus::has_room() const {
    if (state_->in_flight.load(std::memory_order_relaxed) < state_->settings.in_flight_max)
        return {};
    return fail(too_many());
}

void command_bus::send(command cmd, command_done done) {
    const auto entry = state_->find(cmd.type);
    if (!entry) {
        state_->unknown.add();
        done(fail(state_->unknown_type(cmd.type)));
        return;
    }
    state_->in_flight.fetch_add(1, std::memory_order_relaxed);
    auto started = std::make_shared<flight<state>>(state_, entry, std::move(done));
    const auto refuse = [&](error why) {
        if (started->claim()) started->finish(fail(std::move(why)));
    };
    if (state_->in_flight.load(std::memory_order_relaxed) > state_->settings.in_flight_max)
        return refuse(too_many());
    if (cmd.until == no_deadline) cmd.until = monotonic::now() + state_->settings.timeout;
    auto accepted = accept(std::move(cmd), entry, state_->auth);
    if (!accepted) return refuse(std::move(accepted.error()));

    for (const auto& key : accepted->keys) {
        auto hold = state_->keys.take(accepted->cmd.who.tenant, key);
        if (!hold) {
            started->holds.clear();
            return refuse({bus_errc::request_in_progress,
                           "the first request with this command_id or Idempotency-Key still runs"});
        }
        started->holds.push_back(std::move(hold));
    }
    started->timer = state_->timers.at(accepted->cmd.until, [weak = std::weak_ptr{started}] {
        if (const auto running = weak.lock()) running->expired();
    });
    entry->handler->execute(std::move(*accepted), [started](result<command_reply> reply) {
        flight<state>::handled(started, std::move(reply));
    });
}

}  // namespace flexcore::bus
