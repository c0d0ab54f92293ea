// apply_access: what a projection's behavior writes through during one apply, and the wait for the
// end of it.
//
// Threads: the transaction belongs to the projector's thread. Calls of other threads are run there
//          while it waits for the completion.
// Store:   a failure of the store ends the apply, also when the behavior passes over it: the rows
//          before it may be gone, and a commit would move the checkpoint without them.
// Lifetime: kept by the completion as well; once the apply is over every call is refused.
#pragma once

#include "bus/change_counters.hpp"
#include "domain/projection_behavior.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace flexcore::domain {

/// The store's own trouble, nothing the behavior asked for wrongly.
[[nodiscard]] bool is_store_failure(const error&) noexcept;

class apply_access final : public projection_views {
public:
    /// `changed` receives the slots of what is written; null: nobody reads it yet.
    apply_access(store::view_transaction&, std::string_view tenant,
                 const std::vector<store::model_spec>&,
                 std::vector<bus::change_counters::slot>* changed);

    result<std::optional<store::row>> get(std::string_view model, std::string_view key) override;
    result<void> put(std::string_view model, std::string_view key, std::string_view row_json,
                     store::position) override;
    result<void> remove(std::string_view model, std::string_view key, store::position) override;
    result<store::row_page> scan(std::string_view model, const store::scan_query&) override;

    /// [any thread] The first completion counts.
    void complete(result<void>);
    /// [projector] Until the completion or the deadline.
    [[nodiscard]] result<void> wait(deadline);
    /// [projector] The store's first failure.
    [[nodiscard]] const std::optional<error>& store_failure() const noexcept { return broken_; }

private:
    struct call {
        std::move_only_function<void()> work;
        bool over = false;
    };
    template <class Result, class Work>
    Result at_home(std::string_view model, Work work);
    void note(std::string_view model, std::string_view key);

    store::view_transaction& rows_;
    const std::string tenant_;
    const std::vector<store::model_spec>& models_;
    std::vector<bus::change_counters::slot>* const changed_;
    const std::thread::id home_ = std::this_thread::get_id();
    std::optional<error> broken_;  ///< the projector's

    std::mutex mutex_;
    std::condition_variable changed_state_;
    std::deque<call*> calls_;
    std::optional<result<void>> completion_;
    bool over_ = false;
};

/// Runs one apply to its end. `keep` owns the events.
[[nodiscard]] result<void> apply_events(projection_behavior&, std::shared_ptr<apply_access>,
                                        std::string_view tenant,
                                        std::span<const store::recorded_event>,
                                        std::shared_ptr<const void> keep, deadline until);

}  // namespace flexcore::domain
