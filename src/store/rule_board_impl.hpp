// rule_board: what all sessions with a log share of the streams' rules, so that reads and
// appends pay for rules only where there are some.
//
// Order:   the writer notes a tenant before it commits a rule, makes the number odd before it
//          commits and even again afterwards, before anybody is told. While it is odd a snapshot
//          may or may not have the change. What a reader remembers from snapshots of before is good
//          when the number was the same even one before and after it opened its snapshot.
// Threads: any.
#pragma once

#include "base/clock.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

class rule_board {
public:
    explicit rule_board(std::function<unix_us()> clock) : clock_{std::move(clock)} {}

    /// 0: no stream has rules.
    [[nodiscard]] std::uint64_t changes() const noexcept {
        return changes_.load(std::memory_order_acquire);
    }
    /// The writer's alone, each of them again if need be.
    void changing() noexcept {
        if (changes() % 2 == 0) changes_.fetch_add(1, std::memory_order_seq_cst);
    }
    void settled() noexcept {
        if (changes() % 2 == 1) changes_.fetch_add(1, std::memory_order_seq_cst);
    }
    void changed() noexcept {
        changing();
        settled();
    }
    [[nodiscard]] unix_us now() const { return clock_(); }

    /// Whether a stream of the tenant has rules, or was about to.
    [[nodiscard]] bool has_rules(std::string_view tenant) const {
        if (!any_.load(std::memory_order_acquire)) return false;
        const std::shared_lock lock{mutex_};
        return tenants_.contains(tenant);
    }
    /// Whether any stream has.
    [[nodiscard]] bool has_any() const noexcept { return any_.load(std::memory_order_acquire); }
    void note(std::string_view tenant) {
        const std::unique_lock lock{mutex_};
        tenants_.emplace(tenant);
        any_.store(true, std::memory_order_release);
    }

    /// Categories whose events settings must not remove.
    void keep(std::string_view category) {
        const std::unique_lock lock{mutex_};
        if (!kept_.emplace(category).second) return;
        unsaved_.emplace_back(category);
        any_unsaved_.store(true, std::memory_order_release);
    }
    void keep_saved(std::string_view category) {
        const std::unique_lock lock{mutex_};
        kept_.emplace(category);
    }
    [[nodiscard]] bool kept(std::string_view category) const {
        const std::shared_lock lock{mutex_};
        return kept_.contains(category);
    }
    [[nodiscard]] bool any_unsaved() const noexcept {
        return any_unsaved_.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::vector<std::string> unsaved() const {
        const std::shared_lock lock{mutex_};
        return unsaved_;
    }
    /// The first `count` of them are in the database now.
    void saved(std::size_t count) {
        const std::unique_lock lock{mutex_};
        unsaved_.erase(unsaved_.begin(), unsaved_.begin() + static_cast<std::ptrdiff_t>(count));
        any_unsaved_.store(!unsaved_.empty(), std::memory_order_release);
    }

private:
    const std::function<unix_us()> clock_;
    std::atomic<std::uint64_t> changes_{0};
    std::atomic<bool> any_{false};
    std::atomic<bool> any_unsaved_{false};
    mutable std::shared_mutex mutex_;
    std::set<std::string, std::less<>> tenants_;
    std::set<std::string, std::less<>> kept_;
    std::vector<std::string> unsaved_;
};

}  // namespace flexcore::store
