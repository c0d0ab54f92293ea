// apply_access: what a projection's behavior writes through during one apply, and the wait for the
// end of it.
//
// Threads: any, one after the other: the transaction knows no thread, but is not shared between
//          threads at once. The projector waits or is inside the behavior meanwhile; so a behavior
//          may also wait for a thread of its own that writes.
// Store:   a failure of the store ends the apply, also when the behavior passes over it: the rows
//          before it may be gone, and a commit would move the checkpoint without them.
// Lifetime: kept by the completion as well; once the apply is over every call is refused.
#pragma once

#include "bus/change_counters.hpp"
#include "domain/projection_behavior.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

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
    /// The store's first failure.
    [[nodiscard]] std::optional<error> store_failure() const;

private:
    template <class Result, class Work>
    Result in_turn(std::string_view model, Work work);
    void note(std::string_view model, std::string_view key);

    store::view_transaction& rows_;
    const std::string tenant_;
    const std::vector<store::model_spec>& models_;
    std::vector<bus::change_counters::slot>* const changed_;

    mutable std::mutex mutex_;
    std::condition_variable completed_;
    std::optional<error> broken_;
    std::optional<result<void>> completion_;
    bool over_ = false;
};

/// Runs one apply to its end. `keep` owns the events.
[[nodiscard]] result<void> apply_events(projection_behavior&, std::shared_ptr<apply_access>,
                                        std::string_view tenant,
                                        std::span<const store::recorded_event>,
                                        std::shared_ptr<const void> keep, deadline until);

}  // namespace flexcore::domain
