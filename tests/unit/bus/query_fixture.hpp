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

struct query_world : world {
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
