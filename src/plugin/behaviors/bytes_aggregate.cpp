#include "plugin/behaviors/aggregate.hpp"

#include "domain/errc.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

#include <fmt/format.h>

namespace flexcore::plugin {
namespace {

class bytes_state final : public domain::aggregate_state {
public:
    [[nodiscard]] std::size_t bytes() const noexcept override { return 256 + state_->size(); }
    [[nodiscard]] const std::shared_ptr<const std::string>& state() const noexcept {
        return state_;
    }
    void replace(std::string with) {
        state_ = std::make_shared<const std::string>(std::move(with));
    }

private:
    // Shared: an overdue decision may look at it after the cache has moved on.
    std::shared_ptr<const std::string> state_ = std::make_shared<const std::string>();
};

class bytes_aggregate final : public domain::aggregate_behavior {
public:
    bytes_aggregate(std::shared_ptr<instance> of, const aggregate_entry& entry)
        : of_{std::move(of)}, entry_{entry} {}

    result<std::unique_ptr<domain::aggregate_state>> initial() override {
        return std::make_unique<bytes_state>();
    }

    std::optional<std::string> snapshot(const domain::aggregate_state& raw) override {
        return *static_cast<const bytes_state&>(raw).state();
    }

    result<std::unique_ptr<domain::aggregate_state>> restore(std::string_view snapshot) override {
        auto made = std::make_unique<bytes_state>();
        made->replace(std::string{snapshot});
        return made;
    }

    result<void> evolve(domain::aggregate_state& raw,
                        std::span<const store::recorded_event> events) override {
        auto& state = static_cast<bytes_state&>(raw);
        if (events.empty()) return {};
        auto opened = of_->open(call_kind::evolve, no_deadline);
        if (!opened) return fail(open_error(std::move(opened).error()));
        call& of = **opened;
        fill_events(of, events.front().tenant, entry_.category, events);
        put_state(of, state);
        of.handler = of_->tables().aggregate->evolve;
        auto outcome = of_->run_and_wait(of);
        if (outcome.failure)
            return fail(domain::domain_errc::behavior_failed,
                        "the plugin failed; the server's log says why",
                        fmt::format("plugin {}: evolve failed: {}", of_->name(),
                                    failure_text(*outcome.failure)));
        state.replace(std::move(outcome.result));
        return {};
    }

    void decide(const domain::aggregate_state& raw, const bus::accepted_command& command,
                domain::decided done) override {
        auto opened = of_->open(call_kind::decide, command.cmd.until);
        if (!opened) return done(fail(open_error(std::move(opened).error())));
        call& of = **opened;
        fill_command(of, command);
        put_state(of, static_cast<const bytes_state&>(raw));
        of.handler = of_->tables().aggregate->decide;
        of.emits_for = &entry_;
        of.done = [plugin = of_, done = std::move(done)](call_outcome&& outcome) mutable {
            done(decision_of(std::move(outcome), plugin->name()));
        };
        of_->run(of);
    }

private:
    static void put_state(call& of, const bytes_state& state) {
        of.info.state = view_of(*state.state());
        of.keep = state.state();
    }

    std::shared_ptr<instance> of_;
    const aggregate_entry& entry_;
};

}  // namespace

std::shared_ptr<domain::aggregate_behavior> make_bytes_aggregate(std::shared_ptr<instance> of,
                                                                 const aggregate_entry& entry) {
    return std::make_shared<bytes_aggregate>(std::move(of), entry);
}

}  // namespace flexcore::plugin
