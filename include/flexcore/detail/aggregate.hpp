// An aggregate as a class of the domain.
//
//   struct order_rules {
//       struct state { … };                                  // default: no events yet
//       static decision decide(const command&, const state&);
//       static void evolve(state&, const event&);            // ignores types it does not know
//       static std::string snapshot(const state&);           // any bytes, JSON say
//       static state load(std::string_view snapshot);
//   };
//
// Pure: no clock, no I/O, the same in gives the same out. `decide` may take `const Plugin&` first
// (configuration), and may take a `completion&` last and return void: moved away, it answers later
// from any thread; command and state stay valid until then. Whatever it throws fails the command;
// what evolve and load throw makes the host drop the state.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "completion.hpp"

namespace flexcore::plugin {

/// What a command leads to: events and a result, or a refusal.
class decision {
public:
    /// `data` is JSON; tags and types are names: [A-Za-z0-9][A-Za-z0-9_.:/-]*.
    decision& event(std::string type, std::string data, std::vector<std::string> tags = {},
                    std::uint32_t schema_version = 1) {
        events_.push_back({std::move(type), std::move(data), std::move(tags), schema_version});
        return *this;
    }
    /// JSON, the "result" of the command's answer; null when none is given.
    decision& result(std::string json) {
        result_ = std::move(json);
        return *this;
    }
    /// `reason` is for programs, a name ("no_lines"); `why` is for people. For input that no state
    /// would make right throw `failure{FXC_INVALID, "why"}`: the caller gets 400 instead of 422.
    [[nodiscard]] static decision reject(std::string_view reason, std::string why) {
        decision refusal;
        refusal.rejected_ = true;
        refusal.reason_ = reason;
        refusal.why_ = std::move(why);
        return refusal;
    }

    [[nodiscard]] bool rejected() const noexcept { return rejected_; }
    [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] const std::vector<new_event>& events() const noexcept { return events_; }
    [[nodiscard]] const std::string& result() const noexcept { return result_; }

private:
    std::vector<new_event> events_;
    std::string result_;
    std::string reason_;
    std::string why_;
    bool rejected_ = false;
};

namespace detail {

inline void answer(completion& done, const decision& decided) {
    if (decided.rejected()) return done.fail(rejection(decided.reason(), decided.why()));
    for (const auto& event : decided.events()) done.emit(event);
    if (decided.result().empty()) return done.succeed();
    done.succeed(decided.result());
}

/// An fxc_state, its type erased.
template <class Plugin>
class aggregate_state {
public:
    aggregate_state() = default;
    aggregate_state(const aggregate_state&) = delete;
    aggregate_state& operator=(const aggregate_state&) = delete;
    virtual ~aggregate_state() = default;
    virtual void decide(const Plugin&, const command&, completion&) const = 0;
    virtual void evolve(const event&) = 0;
    [[nodiscard]] virtual std::string snapshot() const = 0;
};

template <class Plugin, class Rules>
class state_of final : public aggregate_state<Plugin> {
    using state = typename Rules::state;

public:
    explicit state_of(std::string_view snapshot)
        : state_{snapshot.empty() ? state{} : Rules::load(snapshot)} {}

    void decide(const Plugin& plugin, const command& cmd, completion& done) const override {
        guarded(done, [&] {
            if constexpr (requires { Rules::decide(plugin, cmd, state_, done); }) {
                Rules::decide(plugin, cmd, state_, done);
            } else if constexpr (requires { Rules::decide(cmd, state_, done); }) {
                Rules::decide(cmd, state_, done);
            } else if constexpr (requires { Rules::decide(plugin, cmd, state_); }) {
                answer(done, Rules::decide(plugin, cmd, state_));
            } else {
                answer(done, Rules::decide(cmd, state_));
            }
        });
    }
    void evolve(const event& happened) override { Rules::evolve(state_, happened); }
    [[nodiscard]] std::string snapshot() const override { return Rules::snapshot(state_); }

private:
    state state_;
};

}  // namespace detail
}  // namespace flexcore::plugin
