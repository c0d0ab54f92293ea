// What the tests of bus and domain share: the memory store with everything around it, and answers
// that arrive on other threads.
//
// Waiting is always bounded; what does not come within the bound fails the test.
#pragma once

#include "base/clock.hpp"
#include "bus/command_bus.hpp"
#include "bus/event_bus.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker_pool.hpp"
#include "store/open.hpp"
#include "telemetry/health.hpp"
#include "telemetry/metrics.hpp"

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace flexcore::test {

inline constexpr std::chrono::seconds patience{60};

/// Polls until `holds` or the patience is over.
template <class Condition>
[[nodiscard]] bool eventually(Condition holds) {
    const auto end = monotonic::now() + patience;
    while (!holds()) {
        if (monotonic::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});  // polling interval
    }
    return true;
}

/// One value that another thread gives. Counts how often it was given.
template <class T>
class mailbox {
public:
    mailbox() : state_{std::make_shared<state>()} {}
    [[nodiscard]] std::move_only_function<void(T)> receiver() {
        return [s = state_](T value) {
            const std::lock_guard lock{s->mutex};
            ++s->times;
            if (!s->value) s->value.emplace(std::move(value));
            s->arrived.notify_all();
        };
    }
    [[nodiscard]] T get() const {
        std::unique_lock lock{state_->mutex};
        if (!state_->arrived.wait_for(lock, patience, [&] { return state_->value.has_value(); })) {
            throw std::runtime_error{"no answer came"};
        }
        return *state_->value;
    }
    [[nodiscard]] bool empty() const {
        const std::lock_guard lock{state_->mutex};
        return !state_->value;
    }
    [[nodiscard]] int times() const {
        const std::lock_guard lock{state_->mutex};
        return state_->times;
    }

private:
    struct state {
        std::mutex mutex;
        std::condition_variable arrived;
        std::optional<T> value;
        int times = 0;
    };
    std::shared_ptr<state> state_;
};
extern template class mailbox<bool>;
extern template class mailbox<result<store::append_outcome>>;
extern template class mailbox<result<bus::command_reply>>;

/// A fresh memory store with bus, workers and timers.
struct world {
    telemetry::metrics metrics;
    telemetry::health_registry health;
    runtime::timers timers;
    runtime::worker_pool workers{"test", 3};
    store::opened_store store = open();
    std::unique_ptr<bus::event_bus> events;

    world();
    explicit world(bus::event_bus_settings);
    ~world();

    /// The order of the application: log, then read models, then workers.
    void stop();
    store::opened_store open();
};

/// Owns the texts of an append's events.
struct event_texts {
    struct one {
        std::string type, data;
        std::vector<std::string> tags;
    };
    std::string tenant, stream;
    std::vector<one> texts;
    std::vector<std::vector<std::string_view>> tags;
    std::vector<store::new_event> events;
};

[[nodiscard]] store::append_request make_append(std::string tenant, std::string stream,
                                                std::vector<event_texts::one> events,
                                                store::expected_version expected = {});

result<store::append_outcome> append(store::event_log& log, std::string stream,
                                     std::vector<event_texts::one> events,
                                     std::string tenant = "default");

/// The whole stream, page by page.
[[nodiscard]] std::vector<std::shared_ptr<const store::event_batch>> read_pages(
    store::event_log& log, std::string_view stream, std::string_view tenant = "default");

/// A gate nobody has to wait for.
class open_gate final : public bus::inline_gate {
public:
    [[nodiscard]] bool applied(store::position) const noexcept override;
    void when_applied(store::position, deadline, std::move_only_function<void()> done) override;
};

/// A gate that opens when told to; the deadline is the test's affair.
class closed_gate final : public bus::inline_gate {
public:
    ~closed_gate() override;
    [[nodiscard]] bool applied(store::position) const noexcept override;
    void when_applied(store::position, deadline, std::move_only_function<void()> done) override;
    [[nodiscard]] std::size_t waiting() const;
    void open();

private:
    mutable std::mutex mutex_;
    std::vector<std::move_only_function<void()>> waiting_;
};

}  // namespace flexcore::test
