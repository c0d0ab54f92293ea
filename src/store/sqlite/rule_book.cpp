#include "store/sqlite/rule_book.hpp"

#include <fmt/format.h>

namespace flexcore::store::sqlite {
namespace {

// Streams and tenants remembered per connection; beyond it they are looked up afresh.
constexpr std::size_t kept_max = 16'384;

}  // namespace

result<void> rule_book::prepare(connection& db) {
    db_ = &db;
    const auto of_stream = fmt::format("SELECT {} FROM stream_rules WHERE stream=?1", rule_columns);
    const std::pair<statement*, std::string_view> all[] = {
        {&any_of_tenant_, "SELECT 1 FROM stream_rules WHERE tenant=?1 LIMIT 1"},
        {&of_stream_, of_stream},
        {&last_, "SELECT max(version) FROM events WHERE stream=?1"},
        {&time_at_,
         "SELECT recorded_at FROM events WHERE stream=?1 AND version>=?2 ORDER BY version LIMIT 1"},
    };
    for (const auto& [out, sql] : all) {
        if (auto ok = db.prepare(*out, sql); !ok) return ok;
    }
    forget();
    return {};
}

void rule_book::forget() {
    tenants_.clear();
    streams_.clear();
    last_versions_.clear();
}

void rule_book::begin(std::uint64_t changes, unix_us now) {
    now_ = now;
    last_versions_.clear();
    const bool unsure = changes % 2 == 1 || changes != changes_;
    if (unsure || streams_.size() > kept_max || tenants_.size() > kept_max) forget();
    changes_ = changes;
}

result<bool> rule_book::tenant_has_any(std::uint64_t tenant) {
    if (empty()) return false;
    if (const auto known = tenants_.find(tenant); known != tenants_.end()) return known->second;
    run_scope scope{any_of_tenant_};
    const int code = any_of_tenant_.bind(1, tenant).step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return fail(db_->failure(code, "look for rules"));
    }
    return tenants_[tenant] = code == SQLITE_ROW;
}

result<const rule_row*> rule_book::of(std::uint64_t stream, std::uint64_t tenant) {
    const auto any = tenant_has_any(tenant);
    if (!any) return fail(any.error());
    if (!*any) return nullptr;
    auto known = streams_.find(stream);
    if (known == streams_.end()) {
        run_scope scope{of_stream_};
        const int code = of_stream_.bind(1, stream).step();
        std::optional<rule_row> found;
        if (code == SQLITE_ROW) {
            auto row = read_rule(*db_, of_stream_);
            if (!row) return fail(row.error());
            found = *row;
        } else if (code != SQLITE_DONE) {
            return fail(db_->failure(code, "look up a stream's rules"));
        }
        known = streams_.emplace(stream, found).first;
    }
    return known->second ? &*known->second : nullptr;
}

result<version> rule_book::last_version(const rule_row& rule) {
    if (const auto known = last_versions_.find(rule.stream); known != last_versions_.end()) {
        return known->second;
    }
    run_scope scope{last_};
    const int code = last_.bind(1, rule.stream).step();
    if (code != SQLITE_ROW) return fail(db_->failure(code, "look up a version"));
    // All its events may be gone; then it was deleted up to where it stood.
    const version last = std::max<version>(last_.natural(0), rule.deleted_to);
    return last_versions_[rule.stream] = last;
}

result<version> rule_book::first_served(const rule_row& rule, version last) {
    version low = rule.first_served(last);
    const unix_us oldest = rule.oldest_served(now_);
    if (rule.max_age_us == 0 || low > last) return std::min(low, last + 1);
    // Times ascend with versions. The beginning may be gone already: then the first that is there
    // speaks for it.
    for (version high = last + 1; low < high;) {
        const version middle = low + (high - low) / 2;
        run_scope scope{time_at_};
        const int code = time_at_.bind(1, rule.stream).bind(2, middle).step();
        if (code != SQLITE_ROW) return fail(db_->failure(code, "look up a time"));
        if (time_at_.integer(0) < oldest) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

result<bool> rule_book::hides(std::uint64_t stream, std::uint64_t tenant, version ver,
                              unix_us recorded_at) {
    const auto rule = of(stream, tenant);
    if (!rule) return fail(rule.error());
    if (*rule == nullptr) return false;
    version last = ver;
    if ((*rule)->max_count != 0 || (*rule)->deleted != deletion::none) {
        const auto known = last_version(**rule);
        if (!known) return fail(known.error());
        last = *known;
    }
    return !(*rule)->serves(ver, recorded_at, last, now_);
}

}  // namespace flexcore::store::sqlite
