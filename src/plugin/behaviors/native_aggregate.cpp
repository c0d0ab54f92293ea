#include "plugin/behaviors/aggregate.hpp"

#include "base/names.hpp"
#include "bus/errc.hpp"
#include "domain/errc.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"

#include <fmt/format.h>

#include <atomic>
#include <bit>

namespace flexcore::plugin {
namespace {

constexpr std::size_t error_text_max = std::size_t{4} << 10;
constexpr std::size_t snapshot_bytes_max = std::size_t{64} << 20;

/// The plugin's state object; goes back to the plugin when the last one who uses it lets go: the
/// cache, or a decision that is overdue.
struct state_box {
    state_box(std::shared_ptr<instance> plugin, fxc_state* object)
        : of{std::move(plugin)}, state{object} {
        of->count_state();
    }
    state_box(const state_box&) = delete;
    state_box& operator=(const state_box&) = delete;
    ~state_box() { of->release_state(state); }

    std::shared_ptr<instance> of;
    fxc_state* state;
    std::atomic<bool> busy{false};
};

class native_state final : public domain::aggregate_state {
public:
    explicit native_state(std::shared_ptr<state_box> box) : box_{std::move(box)} {}
    [[nodiscard]] std::size_t bytes() const noexcept override { return bytes_; }
    [[nodiscard]] const std::shared_ptr<state_box>& box() const noexcept { return box_; }

    /// How many events it has folded; true when it is worth measuring again (at powers of two).
    [[nodiscard]] bool folded(std::size_t events) noexcept {
        const auto before = std::bit_width(events_);
        events_ += events;
        return std::bit_width(events_) != before;
    }
    void measured(std::size_t snapshot_bytes) noexcept { bytes_ = 256 + 2 * snapshot_bytes; }

private:
    std::shared_ptr<state_box> box_;
    std::uint64_t events_ = 0;
    std::size_t bytes_ = 256;
};

/// What a plain function said, its error text released.
struct plain_outcome {
    fxc_status status = FXC_INTERNAL;
    std::string text;
};

void release(fxc_buffer& buffer) {
    if (buffer.release != nullptr) buffer.release(&buffer);
    buffer = {};
}

void take_error(plain_outcome& to, fxc_buffer& error_out) {
    if (const auto text = text_of({error_out.data, error_out.size}, error_text_max))
        to.text = to_utf8(*text);
    release(error_out);
}

class native_aggregate final : public domain::aggregate_behavior {
public:
    native_aggregate(std::shared_ptr<instance> of, const aggregate_entry& entry)
        : of_{std::move(of)}, entry_{entry} {}

    result<std::unique_ptr<domain::aggregate_state>> initial() override { return loaded({}); }

    result<std::unique_ptr<domain::aggregate_state>> restore(std::string_view snapshot) override {
        return loaded(snapshot);
    }

    std::optional<std::string> snapshot(const domain::aggregate_state& raw) override {
        const auto& box = static_cast<const native_state&>(raw).box();
        if (box->busy.load(std::memory_order_acquire)) return std::nullopt;
        std::optional<std::string> taken;
        auto ran = of_->plain([&] {
            fxc_buffer bytes{};
            const bool done = table().snapshot(of_->object(), box->state, &bytes) == FXC_OK;
            // An empty one would be the state of an aggregate without events.
            if (done && bytes.size != 0 && bytes.size <= snapshot_bytes_max)
                taken.emplace(reinterpret_cast<const char*>(bytes.data), bytes.size);
            release(bytes);
        });
        return ran ? std::move(taken) : std::nullopt;
    }

private:
    result<std::unique_ptr<domain::aggregate_state>> loaded(std::string_view snapshot) {
        plain_outcome said;
        fxc_state* made = nullptr;
        auto ran = of_->plain([&] {
            fxc_buffer error_out{};
            said.status = table().load(of_->object(), view_of(entry_.category), view_of(snapshot),
                                       &made, &error_out);
            take_error(said, error_out);
        });
        if (auto ok = outcome_of("load", std::move(ran), said); !ok)
            return fail(std::move(ok).error());
        if (made == nullptr)
            return fail(domain::domain_errc::behavior_failed,
                        "the plugin failed; the server's log says why",
                        fmt::format("plugin {}: load gave no state", of_->name()));
        auto state = std::make_unique<native_state>(std::make_shared<state_box>(of_, made));
        state->measured(snapshot.size());
        return state;
    }

public:
    result<void> evolve(domain::aggregate_state& raw,
                        std::span<const store::recorded_event> events) override {
        auto& state = static_cast<native_state&>(raw);
        if (state.box()->busy.load(std::memory_order_acquire)) return fail(busy());
        if (events.empty()) return {};
        thread_local borrowed_events messages;
        messages.assign(events);
        plain_outcome said;
        const bool measure = state.folded(events.size());
        std::size_t snapshot_bytes = 0;
        auto ran = of_->plain([&] {
            fxc_buffer error_out{};
            said.status = table().evolve(of_->object(), state.box()->state, messages.data(),
                                         messages.size(), &error_out);
            take_error(said, error_out);
            if (said.status != FXC_OK || !measure) return;
            fxc_buffer snapshot{};
            if (table().snapshot(of_->object(), state.box()->state, &snapshot) == FXC_OK)
                snapshot_bytes = std::min<std::size_t>(snapshot.size, snapshot_bytes_max);
            release(snapshot);
        });
        if (auto ok = outcome_of("evolve", std::move(ran), said); !ok) return ok;
        if (measure) state.measured(snapshot_bytes);
        return {};
    }

    void decide(const domain::aggregate_state& raw, const bus::accepted_command& command,
                domain::decided done) override {
        const auto& box = static_cast<const native_state&>(raw).box();
        if (box->busy.exchange(true, std::memory_order_acq_rel)) return done(fail(busy()));
        auto opened = of_->open(call_kind::decide, command.cmd.until);
        if (!opened) {
            box->busy.store(false, std::memory_order_release);
            return done(fail(open_error(std::move(opened).error())));
        }
        call& of = **opened;
        fill_command(of, command);
        of.keep = box;
        of.state = box->state;
        of.state_busy = &box->busy;
        of.emits_for = &entry_;
        of.done = [plugin = of_, done = std::move(done)](call_outcome&& outcome) mutable {
            done(decision_of(std::move(outcome), plugin->name()));
        };
        of_->run(of);
    }

private:
    [[nodiscard]] const fxc_aggregate_native& table() const {
        return *of_->tables().aggregate_native;
    }
    [[nodiscard]] error busy() const {
        return {make_error_code(bus::bus_errc::busy),
                "an earlier decision on this aggregate has not ended",
                fmt::format("plugin {}: an overdue decision holds the state", of_->name())};
    }
    [[nodiscard]] error occupied() const {
        return {make_error_code(bus::bus_errc::busy), "the plugin is occupied by another call",
                fmt::format("plugin {}: not reentrant, and a call did not return in time",
                            of_->name())};
    }
    [[nodiscard]] result<void> outcome_of(std::string_view what, result<void> ran,
                                          const plain_outcome& said) const {
        if (!ran)
            return ran.error().code == plugin_errc::busy ? fail(occupied())
                                                         : failed(what, ran.error().log);
        if (said.status == FXC_OK) return {};
        return failed(what, said.text.empty() ? fmt::format("status {}", said.status) : said.text);
    }
    [[nodiscard]] std::unexpected<error> failed(std::string_view what, std::string_view why) const {
        return fail(domain::domain_errc::behavior_failed,
                    "the plugin failed; the server's log says why",
                    fmt::format("plugin {}: {} failed: {}", of_->name(), what, why));
    }

    std::shared_ptr<instance> of_;
    const aggregate_entry& entry_;
};

}  // namespace

std::shared_ptr<domain::aggregate_behavior> make_native_aggregate(std::shared_ptr<instance> of,
                                                                  const aggregate_entry& entry) {
    return std::make_shared<native_aggregate>(std::move(of), entry);
}

}  // namespace flexcore::plugin
