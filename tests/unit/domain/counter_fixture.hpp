// An aggregate for tests whose commands say what shall happen, over a log that can be made to fail.
//
// Commands (data {"by":n}):  add; add_if_even (refused "odd"); refuse (reason "asked"); none (no
// events, result is the total); invalid (validation_failed); fail, drop (behavior breaks), silent
// (never completes), blocked (the same, and does not return until `go_on`), later (completes on
// another thread), unfoldable (an event that evolve refuses), nameless (an event the
// store refuses). Events carry {"by":n,"before":total}: what the decision was based on.
#pragma once

#include "domain/aggregate_runtime.hpp"
#include "unit/bus/fixture.hpp"

#include <atomic>
#include <deque>

namespace flexcore::test {

[[nodiscard]] std::int64_t number_in(std::string_view object, std::string_view name);

class counter_behavior final : public domain::aggregate_behavior {
public:
    struct state final : domain::aggregate_state {
        explicit state(counter_behavior&);
        ~state() override;
        [[nodiscard]] std::size_t bytes() const noexcept override;
        counter_behavior& of;
        std::int64_t total = 0;
        std::int64_t folded = 0;
    };

    counter_behavior();
    ~counter_behavior() override;

    result<std::unique_ptr<domain::aggregate_state>> initial() override;
    std::optional<std::string> snapshot(const domain::aggregate_state& raw) override;
    result<std::unique_ptr<domain::aggregate_state>> restore(std::string_view bytes) override;
    result<void> evolve(domain::aggregate_state& raw,
                        std::span<const store::recorded_event> events) override;
    void decide(const domain::aggregate_state& raw, const bus::accepted_command& command,
                domain::decided done) override;

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
    static domain::decision add(const state& my, const bus::accepted_command& command,
                                std::string_view type);
    std::vector<std::thread> threads_;
};

/// A log whose appends can be held, failed or preceded by something; counts.
class steered_log final : public store::event_log {
public:
    explicit steered_log(store::event_log& under);
    ~steered_log() override;

    using before_append = std::function<std::optional<error>(const store::append_request&)>;
    /// Runs before each append is passed on; an error answers it instead.
    void before(before_append hook);
    void hold();
    /// Passes on what is held; `keep_holding`: what comes after is held again.
    void release(bool keep_holding = false);
    [[nodiscard]] std::size_t held() const;
    [[nodiscard]] std::size_t events_held() const;

    void append(store::append_request request, store::append_done done) override;
    void append_all(std::vector<queued> all) override;
    result<store::stream_page> read_stream(std::string_view tenant, std::string_view stream,
                                           store::version from, std::size_t limit,
                                           store::direction way) override;
    result<store::stream_page> read_history(std::string_view tenant, std::string_view stream,
                                            store::version from, std::size_t limit) override;
    void keep_history(std::string_view category) override;
    [[nodiscard]] bool retains(std::string_view tenant) const noexcept override;
    result<store::log_page> read_log(const store::log_filter& filter, store::position after,
                                     std::size_t limit, store::direction way) override;
    result<std::shared_ptr<const store::event_batch>> read_event(std::string_view tenant,
                                                                 const uuid& id) override;
    result<store::stream_info> stream(std::string_view tenant, std::string_view name) override;
    result<store::stream_list> streams(std::string_view tenant, std::string_view category,
                                       std::string_view prefix, std::string_view after,
                                       std::size_t limit) override;
    result<std::optional<stored_answer>> find_answer(std::string_view tenant,
                                                     std::string_view key) override;
    store::position head() const noexcept override;
    [[nodiscard]] bool shared() const noexcept override { return others_write; }
    result<store::position> end() override;
    void on_commit(store::commit_listener listener) override;
    void stop() override;

    std::atomic<int> appends{0};
    std::atomic<int> stream_reads{0};
    std::atomic<bool> forgetful{false};  ///< find_answer finds nothing
    std::atomic<bool> others_write{false};

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

    explicit aggregate_world(domain::aggregate_settings settings = {});
    ~aggregate_world();

    [[nodiscard]] static bus::accepted_command command(std::string type, std::int64_t by = 1,
                                                       const std::string& id = "1");
    reply_box send(bus::accepted_command what);
    reply_box send(std::string type, std::int64_t by = 1, const std::string& id = "1");
    /// An event of another way than the lane.
    result<store::append_outcome> raw(std::int64_t by, const std::string& id = "1",
                                      const std::string& type = "counter.added");
};

[[nodiscard]] std::string reason_of(const result<bus::command_reply>& reply);

}  // namespace flexcore::test
