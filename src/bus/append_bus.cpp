#include "bus/append_bus.hpp"

#include "bus/key_scope_impl.hpp"
#include "bus/outcome_impl.hpp"
#include "store/errc.hpp"

namespace flexcore::bus {
namespace {

constexpr std::size_t stored_key_bytes_max = 1024;

/// One append between its admission and its answer; owns what its request points to.
struct open_append {
    std::string tenant;
    std::string key;
    std::string fingerprint;
    std::shared_ptr<const void> events;  // the caller's backing
};

/// The rendered answer goes from the stored answer's maker to the reply; both run on the log
/// writer's thread, the maker first.
struct rendered {
    std::function<std::string(const store::append_outcome&)> render;
    std::optional<std::string> body;

    const std::string& make(const store::append_outcome& outcome) {
        return body.emplace(render(outcome));
    }
    const std::string& of(const store::append_outcome& outcome) {
        return body ? *body : make(outcome);
    }
};

}  // namespace

struct append_bus::state {
    state(store::event_log& l, const authorizer& a, inline_gate& g, key_registry& k,
          telemetry::metrics& metrics, monotonic::duration wait)
        : log{l},
          auth{a},
          gate{g},
          keys{k},
          inline_wait{wait},
          answered{metrics, "flexcore_appends_total", "Raw appends answered, by outcome", {}},
          seconds{metrics.histogram_for("flexcore_append_seconds",
                                        "From a raw append's arrival to its answer",
                                        telemetry::latency_bounds())} {}

    store::event_log& log;
    const authorizer& auth;
    inline_gate& gate;
    key_registry& keys;
    const monotonic::duration inline_wait;
    const outcome_counters answered;
    telemetry::histogram& seconds;

    void answer(monotonic::time_point begun, result<append_answer> what,
                append_answered& done) const {
        const auto how = !what            ? outcome_of(what.error())
                         : what->replayed ? outcome::replayed
                                          : outcome::ok;
        answered[how].add();
        seconds.observe(std::chrono::duration<double>(monotonic::now() - begun).count());
        done(std::move(what));
    }

    [[nodiscard]] result<void> allowed(const raw_append& append) const {
        for (const auto& stream : append.request.appends) {
            if (auto ok = auth.may(append.who, "append", stream.stream); !ok) return ok;
        }
        return {};
    }
};

append_bus::append_bus(store::event_log& log, const authorizer& auth, inline_gate& gate,
                       key_registry& keys, telemetry::metrics& metrics,
                       monotonic::duration inline_wait)
    : state_{std::make_shared<state>(log, auth, gate, keys, metrics, inline_wait)} {}

append_bus::~append_bus() = default;

void append_bus::append(raw_append append, append_answered done) {
    const auto begun = monotonic::now();
    const auto refuse = [&](error why) { state_->answer(begun, fail(std::move(why)), done); };
    if (auto ok = state_->allowed(append); !ok) return refuse(std::move(ok.error()));

    auto own = std::make_shared<open_append>();
    own->tenant = std::move(append.who.tenant);
    own->events = std::move(append.request.backing);
    auto body = std::make_shared<rendered>();
    body->render = std::move(append.render);
    key_registry::hold hold;
    append.request.keys.clear();
    if (!append.idempotency_key.empty()) {
        own->key = scoped('a', append.who.principal, append.idempotency_key);
        own->fingerprint = std::move(append.fingerprint);
        if (own->key.size() > stored_key_bytes_max) {
            return refuse({bus_errc::validation_failed, "the Idempotency-Key is too long"});
        }
        hold = state_->keys.take(own->tenant, own->key);
        if (!hold) {
            return refuse({bus_errc::request_in_progress,
                           "the first request with this Idempotency-Key still runs"});
        }
        append.request.keys.push_back({.key = own->key,
                                       .fingerprint = own->fingerprint,
                                       .answer = [body](const store::append_outcome& outcome) {
                                           return body->make(outcome);
                                       }});
    }
    append.request.tenant = own->tenant;
    append.request.backing = std::move(own);

    // The store looks the key up in the append's own transaction: a look before would only cost.
    state_->log.append(
        std::move(append.request),
        [state = state_, begun, body, hold = std::move(hold),
         done = std::move(done)](result<store::append_outcome> written) mutable {
            // Before the answer: who repeats the request at once must not find it in progress.
            hold = key_registry::hold{};
            if (!written) {
                error why = std::move(written.error());
                if (why.code == store::store_errc::key_conflict) {
                    why = {bus_errc::idempotency_conflict,
                           "this Idempotency-Key was used for another request"};
                }
                state->answer(begun, fail(std::move(why)), done);
                return;
            }
            append_answer answer;
            if (written->stored_answer) {
                answer.body = std::move(*written->stored_answer);
                answer.replayed = true;
                state->answer(begun, std::move(answer), done);
                return;
            }
            answer.body = body->of(*written);
            answer.outcome = std::move(*written);
            const auto pos = answer.outcome.pos;
            if (state->gate.applied(pos)) {
                state->answer(begun, std::move(answer), done);
                return;
            }
            state->gate.when_applied(
                pos, monotonic::now() + state->inline_wait,
                [state, begun, answer = std::move(answer), done = std::move(done)]() mutable {
                    state->answer(begun, std::move(answer), done);
                });
        });
}

}  // namespace flexcore::bus
