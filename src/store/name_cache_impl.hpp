// name_cache: what is known about a tenant's name, the least recently used forgotten first.
//
// Entries keep their address until `trim` or `clear`: trim between batches, not within.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flexcore::store {

template <class Entry>
class name_cache {
public:
    explicit name_cache(std::size_t entries_max) : entries_max_{entries_max} {}

    [[nodiscard]] Entry* find(std::uint64_t tenant, std::string_view name) {
        const auto found = entries_.find(key_view{tenant, name});
        if (found == entries_.end()) return nullptr;
        recent_.splice(recent_.begin(), recent_, found->second.place);
        return &found->second.entry;
    }
    Entry& add(std::uint64_t tenant, std::string_view name, Entry entry) {
        const auto [at, fresh] =
            entries_.emplace(key{tenant, std::string{name}}, node{std::move(entry), {}});
        if (fresh) at->second.place = recent_.insert(recent_.begin(), &at->first);
        return at->second.entry;
    }
    void erase(std::uint64_t tenant, std::string_view name) {
        const auto found = entries_.find(key_view{tenant, name});
        if (found == entries_.end()) return;
        recent_.erase(found->second.place);
        entries_.erase(found);
    }
    void trim() {
        while (entries_.size() > entries_max_) {
            const auto oldest = entries_.find(*recent_.back());
            recent_.pop_back();
            entries_.erase(oldest);
        }
    }
    void clear() {
        recent_.clear();
        entries_.clear();
    }

private:
    struct key_view {
        std::uint64_t tenant;
        std::string_view name;
    };
    struct key {
        std::uint64_t tenant;
        std::string name;
        operator key_view() const noexcept { return {tenant, name}; }
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(const key_view& of) const noexcept {
            return std::hash<std::string_view>{}(of.name) ^ of.tenant * 0x9e37'79b9'7f4a'7c15;
        }
    };
    struct equal {
        using is_transparent = void;
        bool operator()(const key_view& left, const key_view& right) const noexcept {
            return left.tenant == right.tenant && left.name == right.name;
        }
    };
    struct node {
        Entry entry;
        typename std::list<const key*>::iterator place;
    };

    const std::size_t entries_max_;
    std::unordered_map<key, node, hash, equal> entries_;
    std::list<const key*> recent_;
};

}  // namespace flexcore::store
