#include "base/names.hpp"
#include "store/sqlite/event_row.hpp"
#include "store/sqlite/verify_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace flexcore::store::sqlite {
namespace {

constexpr std::int64_t events_per_read = 2000;
// Behind an event that cannot be read, each position is tried by itself, up to this many.
constexpr position tried_singly_max = 10'000;
// Jumps of versions that are named one by one.
constexpr std::size_t jumps_max = 10'000;
constexpr const char* step_events = "events.db: events";

class log_look {
public:
    log_look(verifying& look, connection& db) : look_{look}, db_{db} {}

    result<void> run() {
        if (auto ok = prepare(); !ok) return ok;
        const auto head = db_.integer("SELECT max(position) FROM events");
        if (!head) return fail(head.error());
        head_ = static_cast<position>(*head);
        // A hole may stand at the very end.
        const auto removed = last_removed(db_);
        if (!removed) return fail(removed.error());
        head_ = std::max(head_, *removed);
        look_.report().head = head_;
        look_.report().log_read = true;
        if (auto ok = walk(); !ok) return ok;
        if (auto ok = count_tags_listed(); !ok) return ok;
        if (auto ok = check_keys_and_streams(); !ok) return ok;
        return verify_removals(look_, db_, std::move(gaps_));
    }

private:
    struct named {
        std::string name;
        std::uint64_t hash = 0;
        std::uint64_t tenant = 0;
        std::uint64_t category = 0;  ///< of a stream
        bool there = false;
    };
    using names = std::unordered_map<std::uint64_t, named>;

    result<void> prepare() {
        const std::string event =
            fmt::format("SELECT {} FROM events e WHERE e.position", event_columns);
        const std::pair<statement*, std::string> all[] = {
            {&events_, event + ">?1 ORDER BY e.position LIMIT ?2"},
            {&one_, event + "=?1"},
            {&tenant_, "SELECT name, id, 0 FROM tenants WHERE id=?1"},
            {&stream_, "SELECT name, tenant, category FROM streams WHERE id=?1"},
            {&type_, "SELECT name, tenant, 0 FROM types WHERE id=?1"},
            {&category_, "SELECT name, tenant, 0 FROM categories WHERE id=?1"},
            {&tag_, "SELECT id FROM tags WHERE name=?1 AND tenant=?2"},
            {&tagged_, "SELECT 1 FROM event_tags WHERE tag=?1 AND position=?2"},
        };
        for (const auto& [out, sql] : all) {
            if (auto ok = db_.prepare(*out, sql); !ok) return ok;
        }
        return {};
    }

    /// In short transactions: the server's WAL is not held up for the whole log.
    result<void> walk() {
        position after = 0;
        while (after < head_) {
            position reached = after;
            std::int64_t rows = 0;
            int code = SQLITE_OK;
            {
                run_scope scope{events_};
                code = events_.bind(1, after).bind(2, events_per_read).step();
                for (; code == SQLITE_ROW && events_.natural(0) <= head_; code = events_.step()) {
                    ++rows;
                    if (auto ok = check(events_); !ok) return ok;
                    reached = events_.natural(0);
                }
                if (code != SQLITE_DONE && code != SQLITE_ROW) {
                    auto failed = db_.failure(code, "read events");
                    if (failed.code != store_errc::corrupt) return fail(std::move(failed));
                    reached = std::max(reached, last_);
                }
            }
            if (code != SQLITE_DONE && code != SQLITE_ROW) {
                if (auto ok = one_by_one(reached + 1); !ok) return ok;
                reached = std::min(head_, reached + tried_singly_max);
                if (reached >= head_) break;
            } else if (rows < events_per_read) {
                break;
            }
            after = reached;
            look_.step(step_events, after, head_);
        }
        if (last_ < head_) gaps_.positions.push_back({last_ + 1, head_});
        look_.step(step_events, head_, head_);
        return {};
    }
    result<void> one_by_one(position first) {
        position from = 0;
        const position end = std::min(head_, first + tried_singly_max - 1);
        const auto say = [&](position upto) {
            if (from == 0) return;
            look_.found_in_log(from, upto,
                               from == upto
                                   ? fmt::format("event {} cannot be read", from)
                                   : fmt::format("events {} to {} cannot be read", from, upto));
            from = 0;
        };
        for (position pos = first; pos <= end; ++pos) {
            run_scope scope{one_};
            const int code = one_.bind(1, pos).step();
            if (code == SQLITE_ROW) {
                say(pos - 1);
                if (auto ok = check(one_); !ok) return ok;
            } else if (code != SQLITE_DONE) {
                auto failed = db_.failure(code, "read an event");
                if (failed.code != store_errc::corrupt) return fail(std::move(failed));
                if (from == 0) from = pos;
                gaps_.unreadable = true;
                last_ = pos;
            } else {
                say(pos - 1);
            }
        }
        say(end);
        return {};
    }
    result<const named*> name_of(names& known, statement& asked, std::uint64_t id) {
        if (const auto kept = known.find(id); kept != known.end()) return &kept->second;
        run_scope scope{asked};
        const int code = asked.bind(1, id).step();
        named made;
        if (code == SQLITE_ROW) {
            made.name = asked.blob(0);
            made.hash = name_hash(made.name);
            made.tenant = asked.natural(1);
            made.category = asked.natural(2);
            made.there = true;
        } else if (code != SQLITE_DONE) {
            auto failed = db_.failure(code, "look up a name");
            if (failed.code != store_errc::corrupt) return fail(std::move(failed));
        }
        return &(known[id] = std::move(made));
    }

    result<void> check(const statement& at) {
        const event_row row = row_of(at);
        ++look_.report().events;
        if (row.pos > last_ + 1) gaps_.positions.push_back({last_ + 1, row.pos - 1});
        last_ = row.pos;
        const auto tenant = name_of(tenants_, tenant_, row.tenant);
        if (!tenant) return fail(tenant.error());
        const auto stream = name_of(streams_, stream_, row.stream);
        if (!stream) return fail(stream.error());
        const auto type = name_of(types_, type_, row.type);
        if (!type) return fail(type.error());
        const auto category = name_of(categories_, category_, row.category);
        if (!category) return fail(category.error());
        const auto tags = count_tags(row.tags);
        const name_hashes hashes{(*tenant)->hash, (*stream)->hash, (*type)->hash};
        if (!tags || checksum_of(row, hashes) != row.checksum) {
            look_.found_in_log(row.pos, row.pos,
                               fmt::format("event {} is not what was written", row.pos));
            return {};
        }
        const bool fit = (*tenant)->there && (*stream)->there && (*type)->there &&
                         (*category)->there && (*stream)->tenant == row.tenant &&
                         (*stream)->category == row.category && (*type)->tenant == row.tenant &&
                         (*category)->tenant == row.tenant &&
                         (*category)->name == category_of((*stream)->name);
        if (!fit) {
            look_.found_in_log(
                row.pos, row.pos,
                fmt::format("event {} belongs to names that do not fit each other", row.pos));
        }
        if (row.recorded_at < last_time_) {
            look_.found_in_log(row.pos, row.pos,
                               fmt::format("event {} is older than the one before", row.pos));
        }
        last_time_ = std::max(last_time_, row.recorded_at);
        check_version(row, (*stream)->name);
        return check_tags(row, *tags);
    }
    void check_version(const event_row& row, const std::string& stream) {
        version& before = versions_[row.stream];
        if (row.ver <= before) {
            look_.found_in_log(row.pos, row.pos,
                               fmt::format("event {} has version {} in {}, after version {}",
                                           row.pos, row.ver, stream, before));
        } else {
            gaps_.versions_missing += row.ver - before - 1;
            if (row.ver != before + 1 && !gaps_.unreadable && gaps_.jumps.size() < jumps_max) {
                gaps_.jumps.push_back(
                    {row.pos, fmt::format("event {} has version {} in {}, after version {}",
                                          row.pos, row.ver, stream, before)});
            }
        }
        before = std::max(before, row.ver);
    }
    result<void> check_tags(const event_row& row, std::size_t count) {
        std::vector<std::string_view> tags(count);
        decode_tags(row.tags, tags.data());
        tags_listed_ += count;
        for (const auto tag : tags) {
            auto& ids = tag_ids_[row.tenant];
            auto known = ids.find(std::string{tag});
            if (known == ids.end()) {
                run_scope scope{tag_};
                const int code = tag_.bind(1, tag).bind(2, row.tenant).step();
                if (code != SQLITE_ROW && code != SQLITE_DONE) {
                    return as_finding(look_, db_.file(), fail(db_.failure(code, "look up a tag")));
                }
                const std::uint64_t id = code == SQLITE_ROW ? tag_.natural(0) : 0;
                known = ids.emplace(std::string{tag}, id).first;
            }
            run_scope scope{tagged_};
            const int code = tagged_.bind(1, known->second).bind(2, row.pos).step();
            if (code == SQLITE_DONE) {
                look_.found_in_log(
                    row.pos, row.pos,
                    fmt::format("event {} is not found by its tag {}", row.pos, tag));
            } else if (code != SQLITE_ROW) {
                return as_finding(look_, db_.file(), fail(db_.failure(code, "look up a tag")));
            }
        }
        return {};
    }

    result<void> count_tags_listed() {
        const auto listed =
            db_.integer(fmt::format("SELECT count(*) FROM event_tags WHERE position<={}", head_));
        if (!listed) return fail(listed.error());
        if (static_cast<std::uint64_t>(*listed) > tags_listed_ && !gaps_.unreadable) {
            look_.found_in_log(0, 0,
                               fmt::format("tags are listed for {} events that do not have them",
                                           static_cast<std::uint64_t>(*listed) - tags_listed_));
        }
        return {};
    }
    result<void> check_keys_and_streams() {
        const auto streams = db_.integer("SELECT count(*) FROM streams");
        if (!streams) return fail(streams.error());
        look_.report().streams = static_cast<std::uint64_t>(*streams);
        const auto keys = db_.integer("SELECT count(*) FROM idempotency_keys");
        if (!keys) return fail(keys.error());
        look_.report().keys = static_cast<std::uint64_t>(*keys);
        const auto foreign = db_.integer(
            "SELECT (SELECT count(*) FROM idempotency_keys k WHERE NOT EXISTS"
            " (SELECT 1 FROM tenants t WHERE t.id=k.tenant)) + (SELECT count(*) FROM streams s "
            "WHERE"
            " NOT EXISTS (SELECT 1 FROM categories c WHERE c.id=s.category AND "
            "c.tenant=s.tenant))");
        if (!foreign) return fail(foreign.error());
        if (*foreign != 0) {
            look_.found_in_log(0, 0, fmt::format("{} keys or streams belong to nothing", *foreign));
        }
        return {};
    }

    verifying& look_;
    connection& db_;
    statement events_, one_, tenant_, stream_, type_, category_, tag_, tagged_;
    names tenants_, streams_, types_, categories_;
    std::unordered_map<std::uint64_t, std::unordered_map<std::string, std::uint64_t>> tag_ids_;
    std::unordered_map<std::uint64_t, version> versions_;
    log_gaps gaps_;
    position head_ = 0;
    position last_ = 0;
    unix_us last_time_ = 0;
    std::uint64_t tags_listed_ = 0;
};

}  // namespace

result<void> verify_log(verifying& look, const std::filesystem::path& file) {
    auto db = connection::open({.file = file});
    if (!db) return as_finding(look, file, fail(std::move(db.error())));
    if (auto ok = as_finding(look, file, log_look{look, *db}.run()); !ok) return ok;
    return verify_structure(look, *db);
}

}  // namespace flexcore::store::sqlite
