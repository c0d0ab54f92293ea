#include "store/memory/memory_log.hpp"

#include "base/names.hpp"
#include "store/append_decision_impl.hpp"
#include "store/read_limits_impl.hpp"

#include <fmt/format.h>

#include <deque>
#include <map>
#include <set>
#include <shared_mutex>
#include <unordered_map>

namespace flexcore::store::memory {
namespace {

using name_in_tenant = std::pair<std::string, std::string>;

struct stream_record : log_state::stream_state {
    std::string name;
    std::string tenant;
    std::vector<position> at;  ///< of version i + 1
    stream_rules rules;

    /// The lowest version served; `last` + 1 when none is.
    template <class TimeOf>
    [[nodiscard]] version first_served(unix_us now, TimeOf time_of) const {
        version first = std::min(rules.first_served(ver), ver + 1);
        while (first <= ver && time_of(at[first - 1]) < rules.oldest_served(now)) ++first;
        return first;
    }
};

struct stored_event {
    recorded_event event;
    std::uint64_t stream = 0;
    const stream_record* of = nullptr;
    std::uint32_t place = 0;
    std::shared_ptr<const event_batch> owner;
};

/// Everything the log holds. A batch is added to it directly and cannot fail.
class memory_state final : public log_state {
public:
    stream_state& stream(std::string_view tenant, std::string_view name) override {
        auto& record = streams_[{std::string{tenant}, std::string{name}}];
        if (record.name.empty()) {
            record.name = name;
            record.tenant = tenant;
        }
        return record;
    }
    std::optional<known_event> event_with_id(std::string_view tenant, const uuid& id) override {
        const auto found = ids_.find({std::string{tenant}, id});
        return found == ids_.end() ? std::nullopt : event_at(found->second);
    }
    std::optional<known_event> event_at(position at) override {
        if (at == 0 || at > events_.size()) return std::nullopt;
        const auto& stored = events_[at - 1];
        return known_event{.pos = at,
                           .stream = stored.stream,
                           .ver = stored.event.ver,
                           .place = stored.place,
                           .recorded_at = stored.event.recorded_at};
    }
    version version_before(const stream_state& state, position before) override {
        const auto& at = static_cast<const stream_record&>(state).at;
        return static_cast<version>(std::lower_bound(at.begin(), at.end(), before) - at.begin());
    }
    std::optional<event_log::stored_answer> answer(std::string_view tenant, std::string_view key,
                                                   unix_us now) override {
        const auto found = keys_.find({std::string{tenant}, std::string{key}});
        if (found == keys_.end() || found->second.expires <= now) return std::nullopt;
        return found->second.answer;
    }
    result<position> first_match(std::string_view tenant, const selector& what, position after,
                                 unix_us now) override {
        for (position at = after + 1; at <= events_.size(); ++at) {
            const auto& event = events_[at - 1].event;
            if (event.tenant == tenant && matches(what, event) && serves(events_[at - 1], now)) {
                return at;
            }
        }
        return 0;
    }
    void change(const stream_change& change, std::string_view tenant,
                stream_state& state) override {
        auto& record = static_cast<stream_record&>(state);
        if (change.what == stream_change::kind::settings) {
            record.rules.set(change.settings);
        } else {
            record.rules.deleted =
                change.what == stream_change::kind::tombstone ? deletion::forever : deletion::soft;
            record.rules.deleted_to = record.ver;
        }
        record.deleted = record.rules.deleted;
        retaining_.emplace(tenant);
    }
    void revive(stream_state& state) override {
        auto& record = static_cast<stream_record&>(state);
        record.deleted = record.rules.deleted = deletion::none;
    }
    void add(const recorded_event& event, stream_state& state, std::uint32_t place) override {
        auto& record = static_cast<stream_record&>(state);
        if (record.id == 0) record.id = ++last_stream_id_;
        ++record.ver;
        record.at.push_back(event.pos);
        events_.push_back({event, record.id, &record, place, nullptr});
        ids_[{std::string{event.tenant}, event.id}] = event.pos;
    }
    void remember(std::string_view tenant, const idempotency_entry& entry, std::string answer,
                  unix_us now) override {
        keys_[{std::string{tenant}, std::string{entry.key}}] = {
            {std::string{entry.fingerprint}, std::move(answer)}, now + entry.keep_us};
    }

    [[nodiscard]] static bool serves(const stored_event& stored, unix_us now) {
        return stored.of->rules.serves(stored.event.ver, stored.event.recorded_at, stored.of->ver,
                                       now);
    }
    [[nodiscard]] version first_served(const stream_record& record, unix_us now) const {
        return record.first_served(now,
                                   [&](position at) { return events_[at - 1].event.recorded_at; });
    }
    [[nodiscard]] bool retains(std::string_view tenant) const {
        return retaining_.contains(tenant);
    }

    /// The events from index `first` on live in `owner`.
    void own(std::size_t first, const std::shared_ptr<const event_batch>& owner) {
        for (; first < events_.size(); ++first) events_[first].owner = owner;
    }
    [[nodiscard]] const std::deque<stored_event>& events() const { return events_; }
    [[nodiscard]] const std::map<name_in_tenant, stream_record>& streams() const {
        return streams_;
    }
    [[nodiscard]] std::optional<position> position_of(std::string_view tenant,
                                                      const uuid& id) const {
        const auto found = ids_.find({std::string{tenant}, id});
        if (found == ids_.end()) return std::nullopt;
        return found->second;
    }

private:
    struct remembered {
        event_log::stored_answer answer;
        unix_us expires = 0;
    };
    std::map<name_in_tenant, stream_record> streams_;
    std::map<std::pair<std::string, uuid>, position> ids_;
    std::map<name_in_tenant, remembered> keys_;
    std::deque<stored_event> events_;
    std::set<std::string, std::less<>> retaining_;  ///< tenants with rules
    std::uint64_t last_stream_id_ = 0;
};

std::shared_ptr<event_batch> new_page() { return std::make_shared<event_batch>(); }

void add_to(event_batch& page, const stored_event& stored) {
    page.events.push_back(stored.event);
    if (page.backing.empty() || page.backing.back() != stored.owner) {
        page.backing.push_back(stored.owner);
    }
    page.bytes += text_bytes(stored.event);
}

class memory_log final : public event_log, log_backend {
public:
    memory_log(const writer_limits& limits, telemetry::metrics& metrics,
               const log_writer::clock& clock)
        : clock_{clock}, writer_{*this, limits, metrics, 0, 0, clock} {}

    void append(append_request request, append_done done) override {
        writer_.append(std::move(request), std::move(done));
    }
    void append_all(std::vector<queued> requests) override {
        writer_.append_all(std::move(requests));
    }

    result<stream_page> read_stream(std::string_view tenant, std::string_view stream, version from,
                                    std::size_t limit, direction way) override {
        if (auto ok = check_limit(limit); !ok) return fail(ok.error());
        std::shared_lock lock{mutex_};
        const auto record = find(tenant, stream);
        if (!record) return fail(record.error());
        return versions(**record, from, state_.first_served(**record, clock_()), limit, way);
    }
    result<stream_page> read_history(std::string_view tenant, std::string_view stream, version from,
                                     std::size_t limit) override {
        if (auto ok = check_limit(limit); !ok) return fail(ok.error());
        std::shared_lock lock{mutex_};
        const auto record = find(tenant, stream, true);
        if (!record) return fail(record.error());
        const version base = (*record)->rules.deleted_to;
        auto page = versions(**record, from, base + 1, limit, direction::forward);
        page.base = base;
        return page;
    }
    void keep_history(std::string_view) override {}  // nothing is removed
    bool retains(std::string_view tenant) const noexcept override {
        std::shared_lock lock{mutex_};
        return state_.retains(tenant);
    }

    result<log_page> read_log(const log_filter& filter, position after, std::size_t limit,
                              direction way) override {
        if (auto ok = check_limit(limit); !ok) return fail(ok.error());
        std::shared_lock lock{mutex_};
        const bool forward = way == direction::forward;
        const unix_us now = clock_();
        const position head = writer_.head();
        if (!forward && (after == 0 || after > head)) after = head + 1;
        log_page page;
        auto batch = new_page();
        position at = forward ? after + 1 : after - 1;
        std::size_t looked_at = 0;
        for (; at >= 1 && at <= head; forward ? ++at : --at) {
            if (page_is_full(*batch, limit) || looked_at++ == events_looked_at_max) break;
            const auto& stored = state_.events()[at - 1];
            if (matches_filter(filter, stored.event) && memory_state::serves(stored, now)) {
                add_to(*batch, stored);
            }
        }
        page.at_end = at == 0 || at > head;
        page.scanned_to = forward ? std::max(after, at - 1) : at + 1;
        page.batch = std::move(batch);
        return page;
    }

    result<std::shared_ptr<const event_batch>> read_event(std::string_view tenant,
                                                          const uuid& id) override {
        std::shared_lock lock{mutex_};
        const auto at = state_.position_of(tenant, id);
        if (!at || *at > writer_.head() ||
            !memory_state::serves(state_.events()[*at - 1], clock_())) {
            return fail(no_such_event(id));
        }
        auto batch = new_page();
        add_to(*batch, state_.events()[*at - 1]);
        return batch;
    }

    result<stream_info> stream(std::string_view tenant, std::string_view name) override {
        std::shared_lock lock{mutex_};
        const auto record = find(tenant, name);
        if (!record) return fail(record.error());
        return info(**record);
    }

    result<stream_list> streams(std::string_view tenant, std::string_view category,
                                std::string_view prefix, std::string_view after,
                                std::size_t limit) override {
        if (auto ok = check_limit(limit); !ok) return fail(ok.error());
        std::shared_lock lock{mutex_};
        stream_list list;
        const auto& all = state_.streams();
        for (auto at = all.upper_bound({std::string{tenant}, std::string{after}});
             at != all.end() && at->first.first == tenant; ++at) {
            const auto& record = at->second;
            if (record.ver == 0 || record.deleted != deletion::none) continue;
            if (!record.name.starts_with(prefix)) continue;
            if (!category.empty() && category_of(record.name) != category) continue;
            if (list.items.size() == limit) {
                list.next = list.items.back().stream;
                break;
            }
            list.items.push_back(info(record));
        }
        return list;
    }

    result<std::optional<stored_answer>> find_answer(std::string_view tenant,
                                                     std::string_view key) override {
        std::unique_lock lock{mutex_};
        return state_.answer(tenant, key, clock_());
    }

    position head() const noexcept override { return writer_.head(); }
    result<position> end() override { return writer_.head(); }
    void on_commit(commit_listener listener) override { writer_.on_commit(std::move(listener)); }
    void stop() override { writer_.stop(); }

private:
    result<void> write(write_batch& batch) override {
        std::unique_lock lock{mutex_};
        // The batch is made inside decide_batch, so the events learn their owner afterwards.
        const std::size_t first = state_.events().size();
        auto done = decide_batch(batch, state_);
        state_.own(first, batch.events);
        return done;
    }
    result<recovered> recover(position known_head) override {
        return recovered{.head = known_head, .last_recorded_at = 0, .surprising = nullptr};
    }
    result<deadline> tidy(bool) override { return no_deadline; }
    void close() override {}

    /// Softly deleted it is there only for who `waits` for it to be written again.
    [[nodiscard]] result<const stream_record*> find(std::string_view tenant, std::string_view name,
                                                    bool waits = false) const {
        const auto found = state_.streams().find({std::string{tenant}, std::string{name}});
        if (found == state_.streams().end() || found->second.ver == 0) {
            return fail(no_such_stream(name));
        }
        const auto& record = found->second;
        if (record.deleted == deletion::forever) return fail(stream_is_deleted(name));
        if (record.deleted == deletion::soft && !waits) return fail(no_such_stream(name));
        return &record;
    }
    /// Versions from `first` on.
    [[nodiscard]] stream_page versions(const stream_record& record, version from, version first,
                                       std::size_t limit, direction way) const {
        const bool forward = way == direction::forward;
        const version last = record.at.size();
        version at = forward ? std::max(from, first) : (from == 0 ? last : std::min(from, last));
        stream_page page;
        auto batch = new_page();
        for (; at >= first && at <= last && !page_is_full(*batch, limit); forward ? ++at : --at) {
            add_to(*batch, state_.events()[record.at[at - 1] - 1]);
        }
        page.next = at >= first && at <= last ? at : 0;
        page.batch = std::move(batch);
        return page;
    }
    [[nodiscard]] stream_info info(const stream_record& record) const {
        return {.stream = record.name,
                .ver = record.ver,
                .created_at = state_.events()[record.at.front() - 1].event.recorded_at,
                .updated_at = state_.events()[record.at.back() - 1].event.recorded_at,
                .settings = record.rules.settings()};
    }

    const log_writer::clock clock_;
    mutable std::shared_mutex mutex_;
    memory_state state_;
    log_writer writer_;  // last: its thread uses everything above
};

}  // namespace

std::unique_ptr<event_log> open_log(const writer_limits& limits, telemetry::metrics& metrics,
                                    const log_writer::clock& clock) {
    return std::make_unique<memory_log>(limits, metrics, clock);
}

}  // namespace flexcore::store::memory
