// Queries for tests: handlers that do what the test says, over the memory store's rows.
#pragma once

#include "bus/query_bus.hpp"
#include "unit/bus/fixture.hpp"

namespace flexcore::test {

using answer_ptr = std::shared_ptr<const bus::query_answer>;
using answer_box = mailbox<result<answer_ptr>>;
extern template class mailbox<result<answer_ptr>>;
using done_function = std::move_only_function<void(result<std::string>)>;

/// Runs what the test says; counts.
class scripted_handler final : public bus::query_handler {
public:
    using script = std::function<void(const bus::query&, bus::query_views&, done_function)>;
    explicit scripted_handler(script);
    ~scripted_handler() override;
    void handle(const bus::query&, bus::query_views&, done_function done) override;
    std::atomic<int> runs{0};

private:
    script script_;
};

class set_progress final : public bus::read_model_progress {
public:
    ~set_progress() override;
    store::position reached(const std::vector<std::string>&) const override;
    void when_reached(const std::vector<std::string>&, store::position, deadline latest,
                      std::move_only_function<void(bool)> done) override;
    void answer(bool how);
    std::atomic<store::position> at{100};
    std::mutex mutex;
    std::move_only_function<void(bool)> waiting;
    deadline until{};  ///< of the last wait, under mutex
};

/// The rows of another store; the test says since when others may have changed them unseen.
class unseen_views final : public store::view_store {
public:
    explicit unseen_views(store::view_store& of) : of_{of} {}
    ~unseen_views() override;
    result<std::vector<store::generation>> generations() override;
    result<store::generation> create(std::string_view projection, std::uint32_t version,
                                     const std::vector<store::model_spec>&) override;
    result<void> serve(store::generation_id) override;
    result<void> drop(store::generation_id) override;
    result<void> set_paused(std::string_view projection, bool) override;
    result<void> set_stopped(store::generation_id, std::string_view why) override;
    result<std::unique_ptr<store::view_transaction>> begin(store::generation_id,
                                                           store::position) override;
    result<std::unique_ptr<store::view_reader>> read() override;
    monotonic::duration unseen_for() const noexcept override { return unseen.load(); }
    void stop() override;
    std::atomic<monotonic::duration> unseen{};
    std::atomic<bool> away{false};  ///< reads fail

private:
    store::view_store& of_;
};

struct query_world : world {
    unseen_views rows{*store.views};
    bus::change_counters changes;
    bus::allow_all everybody;
    set_progress progress;
    bus::query_bus queries;
    store::generation generation;
    store::position checkpoint = 0;

    explicit query_world(bus::query_settings settings = {});
    ~query_world();

    /// [any thread]
    void put(const std::string& key, const std::string& json, bool bump = true);
    void bump(const std::string& key);

    std::shared_ptr<scripted_handler> add(bus::query_descriptor about,
                                          scripted_handler::script script);
    /// Answers the row under key "1", or not_found.
    std::shared_ptr<scripted_handler> add_get(bus::query_descriptor about = {});
    answer_box ask(bus::query);
    answer_box ask();
};

}  // namespace flexcore::test
