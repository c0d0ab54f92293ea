// One server's store on a schema that others may share, with a data folder of its own.
#pragma once

#include "contract/harness.hpp"
#include "support/postgres.hpp"

#include <condition_variable>
#include <mutex>

namespace postgres_test {

using namespace contract;  // NOLINT: a test's vocabulary

class shared_server {
public:
    /// `hook` runs on the log writer's thread before a commit is noted.
    shared_server(const flexcore::test::postgres_schema& in, const std::string& name,
                  commit_listener hook = {})
        : hook_{std::move(hook)} {
        const std::string url = in.url();
        settings.url = url + (url.contains('?') ? "&" : "?") + "application_name=" + name;
        settings.schema = in.name();
        settings.data = folder.path() / "data";
        store.emplace(value(open_store(settings, metrics, health)));
        store->log->on_commit([this](const commit& one) {
            if (hook_) hook_(one);
            const std::lock_guard lock{mutex_};
            for (const auto& event : one.batch->events) seen_.push_back(event.pos);
            told_.notify_all();
        });
    }
    ~shared_server() { close(); }
    shared_server(const shared_server&) = delete;
    shared_server& operator=(const shared_server&) = delete;

    void close() {
        if (!store) return;
        store->log->stop();
        store->views->stop();
        store->snapshots->stop();
        store.reset();
    }
    [[nodiscard]] event_log& log() { return *store->log; }
    /// Positions in the order in which this server was told of them.
    [[nodiscard]] std::vector<position> seen() const {
        const std::lock_guard lock{mutex_};
        return seen_;
    }
    /// Until it holds, looked at each time this server is told of a commit; at most a minute.
    template <class Condition>
    [[nodiscard]] bool comes_to(Condition holds) {
        std::unique_lock lock{mutex_};
        return told_.wait_for(lock, std::chrono::minutes{1}, holds);
    }

    scratch_folder folder;
    store_settings settings;
    telemetry::metrics metrics;
    telemetry::health_registry health;
    std::optional<opened_store> store;

private:
    const commit_listener hook_;
    mutable std::mutex mutex_;
    std::condition_variable told_;
    std::vector<position> seen_;
};

/// 1, 2, … up to `last`.
[[nodiscard]] inline std::vector<position> all_up_to(position last) {
    std::vector<position> all;
    for (position at = 1; at <= last; ++at) all.push_back(at);
    return all;
}

}  // namespace postgres_test
