// aggregate_kind: one registered category, and who still needs its behavior.
//
// Threads: any.
#pragma once

#include "domain/aggregate_behavior.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

namespace flexcore::domain {

class aggregate_kind {
public:
    aggregate_kind(aggregate_spec s, std::shared_ptr<aggregate_behavior> b)
        : spec{std::move(s)}, behavior{std::move(b)} {}

    const aggregate_spec spec;
    const std::shared_ptr<aggregate_behavior> behavior;

    [[nodiscard]] bool draining() const noexcept { return draining_.load(); }
    void refuse_new() noexcept { draining_.store(true); }
    /// Runs `drained` once nobody uses the kind (at once, if so already). After refuse_new.
    void when_unused(std::move_only_function<void()> drained);

private:
    friend class kind_use;
    void released();

    std::atomic<std::size_t> uses_{0};
    std::atomic<bool> draining_{false};
    std::mutex mutex_;
    std::move_only_function<void()> drained_;
};

/// Somebody runs, or may still run, the kind's behavior: a busy lane, an open decide.
class kind_use {
public:
    kind_use() = default;
    explicit kind_use(std::shared_ptr<aggregate_kind> kind) : kind_{std::move(kind)} {
        kind_->uses_.fetch_add(1);
    }
    kind_use(const kind_use& other) : kind_{other.kind_} {
        if (kind_) kind_->uses_.fetch_add(1);
    }
    kind_use(kind_use&&) noexcept = default;
    kind_use& operator=(kind_use other) noexcept {
        std::swap(kind_, other.kind_);
        return *this;
    }
    ~kind_use() {
        if (kind_) kind_->released();
    }

private:
    std::shared_ptr<aggregate_kind> kind_;
};

}  // namespace flexcore::domain
