#include "bus/query_cache_impl.hpp"

#include "base/json.hpp"

namespace flexcore::bus {
namespace {

constexpr std::size_t node_overhead_bytes = 256;

std::size_t hashed_text(std::size_t seed, std::string_view text) noexcept {
    return (seed ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15u + (seed >> 31);
}

void append_without_space(std::string& out, std::string_view value) {
    bool quoted = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (quoted) {
            out += c;
            if (c == '\\') {
                out += value[++i];
            } else if (c == '"') {
                quoted = false;
            }
            continue;
        }
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
        quoted = c == '"';
        out += c;
    }
}

}  // namespace

std::string canonical_params(std::string_view object) {
    std::vector<json::member> members;
    json::members_of(json::slice{object}, members);
    std::vector<std::pair<std::string, std::string_view>> named;
    named.reserve(members.size());
    for (const auto& member : members) named.emplace_back(member.name(), member.value.text);
    std::sort(named.begin(), named.end());
    std::string out = "{";
    for (const auto& [name, value] : named) {
        if (out.size() > 1) out += ',';
        json::append_string(out, name);
        out += ':';
        append_without_space(out, value);
    }
    out += '}';
    return out;
}

query_key::query_key(std::uint64_t q, std::string_view t, std::string_view who,
                     std::string_view p) noexcept
    : query{q}, tenant{t}, principal{who}, params{p} {
    hash = hashed_text(q, p);
    hash = hashed_text(hash, t);
    if (!who.empty()) hash = hashed_text(hash, who);
}

query_cache::query_cache(std::size_t bytes_max, const change_counters& changes)
    : shard_bytes_max_{bytes_max / shard_count},
      changes_{changes},
      bytes_{std::make_shared<std::atomic<std::size_t>>(0)} {}

void query_cache::drop(part& in, order::iterator at, order& dropped) {
    in.index.erase(at);
    in.bytes -= at->bytes;
    bytes_->fetch_sub(at->bytes, std::memory_order_relaxed);
    dropped.splice(dropped.end(), in.recent, at);
}

std::shared_ptr<const cached_answer> query_cache::find(const query_key& key) {
    order dropped;  // freed behind the lock
    auto& shard = of(key);
    const std::lock_guard lock{shard.mutex};
    const auto found = shard.index.find(key);
    if (found == shard.index.end()) return nullptr;
    const auto at = *found;
    if (!at->answer->holds(changes_)) {
        drop(shard, at, dropped);
        return nullptr;
    }
    if (at != shard.recent.begin()) {
        shard.recent.splice(shard.recent.begin(), shard.recent, at);
    }
    return at->answer;
}

void query_cache::put(const query_key& key, std::shared_ptr<const cached_answer> answer) {
    order made(1);
    node& entry = made.front();
    entry.hash = key.hash;
    entry.query = key.query;
    entry.tenant = key.tenant;
    entry.principal = key.principal;
    entry.params = key.params;
    // An alias counts the answer as well: it keeps it when the canonical entry goes.
    entry.bytes = node_overhead_bytes + key.tenant.size() + key.principal.size() +
                  key.params.size() + answer->answer->body.size() +
                  answer->read.size() * sizeof(change_counters::slot);
    entry.answer = std::move(answer);
    if (entry.bytes > shard_bytes_max_) return;

    order dropped;
    auto& shard = of(key);
    const std::lock_guard lock{shard.mutex};
    if (const auto old = shard.index.find(key); old != shard.index.end()) {
        drop(shard, *old, dropped);
    }
    shard.bytes += entry.bytes;
    bytes_->fetch_add(entry.bytes, std::memory_order_relaxed);
    shard.recent.splice(shard.recent.begin(), made);
    shard.index.insert(shard.recent.begin());
    while (shard.bytes > shard_bytes_max_) {
        drop(shard, std::prev(shard.recent.end()), dropped);
    }
}

void query_cache::forget(std::uint64_t query) {
    for (auto& shard : shards_) {
        order dropped;
        const std::lock_guard lock{shard.mutex};
        for (auto at = shard.recent.begin(); at != shard.recent.end();) {
            const auto next = std::next(at);
            if (at->query == query) drop(shard, at, dropped);
            at = next;
        }
    }
}

}  // namespace flexcore::bus
