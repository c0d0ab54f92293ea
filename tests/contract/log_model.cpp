#include "contract/log_model.hpp"

#include <algorithm>

namespace contract {
namespace {

std::error_code code(store_errc what) { return make_error_code(what); }

bool fits(const expected_version& expected, version current) {
    switch (expected.what) {
        case rule::any:
            return true;
        case rule::none:
            return current == 0;
        case rule::exists:
            return current > 0;
        case rule::exact:
            return current == expected.exact;
    }
    return false;
}

bool has(const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

bool fits(const selector& wanted, const log_model::stored& one) {
    const std::string category = one.stream.substr(0, one.stream.find('-'));
    return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const auto& clause) {
               return (clause.types.empty() || has(clause.types, one.what.type)) &&
                      (clause.categories.empty() || has(clause.categories, category)) &&
                      std::all_of(clause.tags.begin(), clause.tags.end(),
                                  [&](const auto& tag) { return has(one.what.tags, tag); }) &&
                      one.stream.starts_with(clause.stream_prefix);
           });
}

}  // namespace

const log_model::stream_state* log_model::find(const std::string& in,
                                               const std::string& stream) const {
    const auto found = streams_.find({in, stream});
    return found == streams_.end() ? nullptr : &found->second;
}

const log_model::stored* log_model::with_id(const std::string& in, const uuid& id) const {
    for (const auto& one : log_) {
        if (one.tenant == in && one.what.id == id) return &one;
    }
    return nullptr;
}

version log_model::current(const std::string& in, const std::string& stream) const {
    const auto* found = find(in, stream);
    return found == nullptr || found->soft ? 0 : found->last;
}

version log_model::first_served(const std::string& in, const std::string& stream) const {
    const auto* found = find(in, stream);
    if (found == nullptr) return 1;
    if (found->gone || found->soft) return found->last + 1;
    version first = std::max(found->deleted_to + 1, found->settings.truncate_before.value_or(1));
    const auto most = found->settings.max_count.value_or(found->last + 1);
    if (found->last > most) first = std::max(first, found->last - most + 1);
    return first;
}

std::error_code log_model::state(const std::string& in, const std::string& stream) const {
    const auto* found = find(in, stream);
    if (found != nullptr && found->gone) return code(store_errc::stream_deleted);
    if (found == nullptr || found->soft) return code(store_errc::stream_not_found);
    return {};
}

stream_settings log_model::settings(const std::string& in, const std::string& stream) const {
    return find(in, stream)->settings;
}

bool log_model::is_served(const stored& one) const {
    return one.ver >= first_served(one.tenant, one.stream);
}

std::vector<log_model::stored> log_model::served(const std::string& in,
                                                 const selector& what) const {
    std::vector<stored> all;
    for (const auto& one : log_) {
        if (one.tenant == in && is_served(one) && fits(what, one)) all.push_back(one);
    }
    return all;
}

std::vector<version> log_model::history(const std::string& in, const std::string& stream) const {
    std::vector<version> all;
    const auto& of = *find(in, stream);
    for (version ver = of.deleted_to + 1; ver <= of.last; ++ver) all.push_back(ver);
    return all;
}

std::vector<std::string> log_model::streams(const std::string& in) const {
    std::vector<std::string> all;
    for (const auto& [name, of] : streams_) {
        if (name.first == in && !of.soft && !of.gone) all.push_back(name.second);
    }
    return all;
}

/// The first answer, or a refusal, when an id is known.
std::optional<log_model::answer> log_model::repeated(const request& what) const {
    std::vector<const stored*> found;
    std::vector<std::string> streams;
    bool known = false;
    for (const auto& append : what.appends) {
        for (const auto& one : append.events) {
            found.push_back(one.id.is_nil() ? nullptr : with_id(what.tenant, one.id));
            streams.push_back(append.stream);
            known = known || found.back() != nullptr;
        }
    }
    if (!known) return std::nullopt;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const bool same = found[i] != nullptr && found[i]->place == i &&
                          found[i]->stream == streams[i] && found[i]->pos == found.front()->pos + i;
        if (!same) return answer{.code = code(store_errc::event_id_conflict)};
    }
    const auto next = found.back()->pos;  // the index of the event behind
    if (next < log_.size() && log_[next].place != 0) {
        return answer{.code = code(store_errc::event_id_conflict)};
    }
    answer first{.pos = found.back()->pos, .repeated = true};
    std::size_t at = 0;
    for (const auto& append : what.appends) {
        if (append.events.empty()) {
            version before = 0;
            for (const auto& one : log_) {
                if (one.pos < found.front()->pos && one.tenant == what.tenant &&
                    one.stream == append.stream)
                    before = one.ver;
            }
            first.versions.emplace_back(0, before);
            continue;
        }
        first.versions.emplace_back(found[at]->ver, found[at + append.events.size() - 1]->ver);
        at += append.events.size();
    }
    return first;
}

std::error_code log_model::refusal(const request& what) const {
    if (what.condition && what.condition->after > head()) return code(store_errc::invalid_request);
    bool conflict = false;
    for (const auto& append : what.appends) {
        if (state(what.tenant, append.stream) == code(store_errc::stream_deleted))
            return code(store_errc::stream_deleted);
        conflict = conflict || !fits(append.expected, current(what.tenant, append.stream));
    }
    if (conflict) return code(store_errc::version_conflict);
    if (what.condition) {
        for (const auto& one : served(what.tenant, what.condition->none_match)) {
            if (one.pos > what.condition->after) return code(store_errc::condition_failed);
        }
    }
    return {};
}

log_model::answer log_model::write(const request& what) {
    answer done;
    std::size_t place = 0;
    for (const auto& append : what.appends) {
        if (append.events.empty()) {
            done.versions.emplace_back(0, current(what.tenant, append.stream));
            continue;
        }
        auto& of = streams_[{what.tenant, append.stream}];
        of.soft = false;
        const version first = of.last + 1;
        for (const auto& one : append.events) {
            log_.push_back({.pos = log_.size() + 1,
                            .ver = ++of.last,
                            .place = place++,
                            .tenant = what.tenant,
                            .stream = append.stream,
                            .what = one});
        }
        done.versions.emplace_back(first, of.last);
    }
    done.pos = head();
    return done;
}

log_model::answer log_model::append(const request& what) {
    std::optional<std::string> known;
    for (const auto& one : what.keys) {
        const auto found = keys_.find({what.tenant, one.name});
        if (found == keys_.end()) continue;
        if (found->second.fingerprint != one.fingerprint)
            return {.code = code(store_errc::key_conflict)};
        if (!known) known = found->second.answer;
    }
    if (known) return {.stored_answer = known};
    for (const auto& append : what.appends) {
        if (state(what.tenant, append.stream) == code(store_errc::stream_deleted))
            return {.code = code(store_errc::stream_deleted)};
    }
    auto done = repeated(what);
    if (!done) {
        if (const auto bad = refusal(what)) return {.code = bad};
        done = write(what);
    }
    if (done->code) return *done;
    for (const auto& one : what.keys) keys_[{what.tenant, one.name}] = one;
    return *done;
}

log_model::answer log_model::apply(const change& what) {
    using kind = stream_change::kind;
    const auto found = streams_.find({what.tenant, what.stream});
    if (found == streams_.end()) return {.code = code(store_errc::stream_not_found)};
    auto& of = found->second;
    answer done{.pos = head()};
    if (of.gone) {
        if (what.what != kind::tombstone) return {.code = code(store_errc::stream_deleted)};
        done.repeated = true;
        return done;
    }
    if (of.soft && what.what == kind::settings) return {.code = code(store_errc::stream_not_found)};
    const bool as_deleted =
        of.soft && what.expected.what == rule::exact && what.expected.exact == of.last;
    if (!as_deleted && !fits(what.expected, of.soft ? 0 : of.last))
        return {.code = code(store_errc::version_conflict)};
    if (of.soft && what.what == kind::soft_delete) {
        done.repeated = true;
        return done;
    }
    if (what.settings.truncate_before.value_or(0) > of.last + 1)
        return {.code = code(store_errc::invalid_request)};
    switch (what.what) {
        case kind::settings:
            of.settings = what.settings;
            break;
        case kind::soft_delete:
            if (mistake_ == mistake::forgets_deletions) break;
            of.soft = true;
            of.deleted_to = of.last;
            break;
        case kind::tombstone:
            of.soft = false;
            of.gone = true;
            of.deleted_to = of.last;
            break;
    }
    return done;
}

void log_model::learn(const std::vector<uuid>& ids) {
    const std::size_t first = log_.size() - ids.size();
    for (std::size_t i = 0; i < ids.size(); ++i) log_[first + i].what.id = ids[i];
}

}  // namespace contract
