// Projections for tests: rows that count events per stream, in a world of the memory store.
#pragma once

#include "bus/change_counters.hpp"
#include "domain/projection_runner.hpp"
#include "unit/bus/fixture.hpp"

#include <atomic>
#include <set>

namespace flexcore::test {

extern const store::model_spec counts_model;  ///< "counts", indexed by "n"

/// Counts the events of each stream in model "counts": {"n":count,"last":position}.
/// An event of a type in `poison` fails the batch.
class counting final : public domain::projection_behavior {
public:
    enum class way { inside, other_thread, joined, never, dropped };

    explicit counting(std::string model = "counts");
    ~counting() override;

    void apply(std::string_view tenant, std::span<const store::recorded_event> events,
               domain::projection_views& views, deadline,
               std::move_only_function<void(result<void>)> done) override;
    void poison(std::set<std::string> types);

    std::atomic<way> how{way::inside};
    std::atomic<bool> names_position{false};
    std::atomic<int> applies{0};
    std::atomic<int> mixed_tenants{0};
    std::mutex mutex;
    std::vector<std::move_only_function<void(result<void>)>> kept;
    domain::projection_views* late_views = nullptr;

private:
    result<void> count(std::span<const store::recorded_event> events,
                       domain::projection_views& views);
    void join();

    const std::string model_;
    std::set<std::string> poison_;
    std::thread thread_;
};

struct projection_world {
    world base;
    bus::change_counters changes;
    domain::projection_settings settings;
    std::unique_ptr<domain::projection_runner> runner;

    projection_world();
    explicit projection_world(domain::projection_settings);
    ~projection_world();

    [[nodiscard]] static domain::projection_settings quick();
    /// As after a start of the process: the stores are what they were.
    void restart();

    [[nodiscard]] static domain::projection_spec spec(std::uint32_t version = 1);
    std::shared_ptr<counting> add(domain::projection_spec what = spec());
    store::position write(int events, const std::string& stream = "s-1",
                          const std::string& type = "t.happened",
                          const std::string& tenant = "default");
    [[nodiscard]] domain::projection_status status(const std::string& name = "count") const;
    [[nodiscard]] bool reaches(store::position pos, const std::string& model = "counts") const;
    [[nodiscard]] bool becomes(domain::projection_state wanted,
                               const std::string& name = "count") const;
    /// [any thread] -1: no such row; -2: no such model; -3: nothing can be read.
    [[nodiscard]] long long count(const std::string& stream = "s-1",
                                  const std::string& tenant = "default",
                                  const std::string& model = "counts");
};

}  // namespace flexcore::test
