// query_cache: answers of queries, as long as nothing they read has changed.
//
// Shape:   shards, each with a mutex, a hash table and a least-recently-used order; bounded in
//          bytes. An answer is found under its canonical parameters and under every other text of
//          them it was asked by (an alias), so that a hit parses nothing.
// Valid:   an answer carries the number of the last change before its snapshot was opened, and the
//          slots of what it read; it holds while none of them has a higher number.
// Threads: any.
#pragma once

#include "bus/change_counters.hpp"
#include "bus/query_bus.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace flexcore::bus {

/// The parameters with white space removed and the members of the outermost object in order of
/// their names: texts that differ only in these ask the same. Requires a validated object.
[[nodiscard]] std::string canonical_params(std::string_view object);

/// What an answer depends on besides the read models. `principal` is empty for a query that does
/// not vary by it. The query's number tells a replaced query of the same name apart.
struct query_key {
    query_key(std::uint64_t query, std::string_view tenant, std::string_view principal,
              std::string_view params) noexcept;
    std::uint64_t query;
    std::string_view tenant;
    std::string_view principal;
    std::string_view params;
    std::size_t hash;
};

struct cached_answer {
    std::shared_ptr<const query_answer> answer;
    std::uint64_t seen = 0;  ///< change_counters::last() before the snapshot
    std::vector<change_counters::slot> read;

    [[nodiscard]] bool holds(const change_counters& changes) const noexcept {
        return std::all_of(read.begin(), read.end(),
                           [&](auto slot) { return changes.value(slot) <= seen; });
    }
};

class query_cache {
public:
    query_cache(std::size_t bytes_max, const change_counters&);

    /// Nothing when unknown or no longer valid.
    [[nodiscard]] std::shared_ptr<const cached_answer> find(const query_key&);
    /// Replaces what stood under the key. An answer too large for its shard is not kept.
    void put(const query_key&, std::shared_ptr<const cached_answer>);
    /// Forgets everything of a query.
    void forget(std::uint64_t query);
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_->load(); }
    /// The same number, for a metric that may outlive the cache.
    [[nodiscard]] std::shared_ptr<const std::atomic<std::size_t>> bytes_source() const {
        return bytes_;
    }

private:
    struct node {
        std::size_t hash = 0;
        std::uint64_t query = 0;
        std::string tenant, principal, params;
        std::shared_ptr<const cached_answer> answer;
        std::size_t bytes = 0;
    };
    using order = std::list<node>;
    struct hashed {
        using is_transparent = void;
        std::size_t operator()(const query_key& key) const noexcept { return key.hash; }
        std::size_t operator()(order::iterator at) const noexcept { return at->hash; }
    };
    struct same {
        using is_transparent = void;
        bool operator()(order::iterator a, order::iterator b) const noexcept { return a == b; }
        bool operator()(order::iterator at, const query_key& key) const noexcept {
            return at->hash == key.hash && at->query == key.query && at->params == key.params &&
                   at->tenant == key.tenant && at->principal == key.principal;
        }
        bool operator()(const query_key& key, order::iterator at) const noexcept {
            return (*this)(at, key);
        }
    };
    struct part {
        std::mutex mutex;
        order recent;  ///< most recently used first
        std::unordered_set<order::iterator, hashed, same> index;
        std::size_t bytes = 0;
    };
    static constexpr std::size_t shard_count = 16;

    part& of(const query_key& key) noexcept { return shards_[(key.hash >> 8) % shard_count]; }
    void drop(part&, order::iterator, order& dropped);

    const std::size_t shard_bytes_max_;
    const change_counters& changes_;
    const std::shared_ptr<std::atomic<std::size_t>> bytes_;
    std::array<part, shard_count> shards_;
};

}  // namespace flexcore::bus
