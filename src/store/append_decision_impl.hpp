// What the log answers to one append: the rules of idempotency, versions and conditions, once for
// the backends that decide in this process.
//
// Order:   keys, event ids, expected versions, condition; only then anything is added. So a
//          refused request leaves nothing behind and never fails its neighbours in the batch.
// Threads: the log writer's.
#pragma once

#include "store/event_log.hpp"
#include "store/log_writer_impl.hpp"
#include "store/stream_rules_impl.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace flexcore::store {

/// The log as a decision sees it: what is committed and what this batch has added so far.
/// A look-up that fails answers as if there were nothing and leaves its error in `failure`;
/// then the whole batch is given up.
class log_state {
public:
    struct stream_state {
        std::uint64_t id = 0;  ///< 0 as long as the stream has no event
        version ver = 0;
        deletion deleted = deletion::none;
    };
    struct known_event {
        position pos = 0;
        std::uint64_t stream = 0;
        version ver = 0;
        std::uint32_t place = 0;  ///< within the request that wrote it, from 0
        unix_us recorded_at = 0;
    };

    virtual ~log_state() = default;

    /// Valid until the batch ends; `add` moves it on.
    [[nodiscard]] virtual stream_state& stream(std::string_view tenant, std::string_view name) = 0;
    [[nodiscard]] virtual std::optional<known_event> event_with_id(std::string_view tenant,
                                                                   const uuid& id) = 0;
    [[nodiscard]] virtual std::optional<known_event> event_at(position) = 0;
    /// The stream's version as it was before the event at `before`.
    [[nodiscard]] virtual version version_before(const stream_state&, position before) = 0;
    /// Expired ones count as unknown.
    [[nodiscard]] virtual std::optional<event_log::stored_answer> answer(std::string_view tenant,
                                                                         std::string_view key,
                                                                         unix_us now) = 0;
    /// The lowest position after `after` whose event matches, 0 when there is none. An error
    /// refuses this request alone: the answer would take so long that all other appends wait for
    /// it.
    /// Events that are not served at `now` do not count.
    [[nodiscard]] virtual result<position> first_match(std::string_view tenant, const selector&,
                                                       position after, unix_us now) = 0;
    /// `event` stays where it is until the batch ends; its position and version are set.
    virtual void add(const recorded_event& event, stream_state&, std::uint32_t place) = 0;
    /// The stream has been there. Sets `deleted`, too.
    virtual void change(const stream_change&, std::string_view tenant, stream_state&) = 0;
    /// It was softly deleted and is about to be written again.
    virtual void revive(stream_state&) = 0;
    virtual void remember(std::string_view tenant, const idempotency_entry&, std::string answer,
                          unix_us now) = 0;

    [[nodiscard]] const std::optional<error>& failure() const noexcept { return failure_; }

protected:
    void failed(error e) {
        if (!failure_) failure_ = std::move(e);
    }
    void forget_failure() { failure_.reset(); }

private:
    std::optional<error> failure_;
};

/// Decides every entry of the batch in order and collects what is to be written. Again, when the
/// state turns out to have been another one: nothing of before is left.
/// Fails only when the state failed; then nothing of the batch may be committed.
[[nodiscard]] result<void> decide_batch(write_batch&, log_state&);

}  // namespace flexcore::store
