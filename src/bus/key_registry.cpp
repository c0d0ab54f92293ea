#include "bus/key_registry.hpp"

#include "bus/key_scope_impl.hpp"

#include <array>
#include <mutex>
#include <unordered_set>
#include <utility>

namespace flexcore::bus {

struct key_registry::state {
    struct shard {
        std::mutex mutex;
        std::unordered_set<std::string> keys;
    };
    std::array<shard, 16> shards;

    shard& of(std::string_view key) {
        return shards[std::hash<std::string_view>{}(key) % shards.size()];
    }
};

key_registry::key_registry() : state_{std::make_unique<state>()} {}
key_registry::~key_registry() = default;

key_registry::hold::hold(hold&& other) noexcept
    : registry_{std::exchange(other.registry_, nullptr)}, key_{std::move(other.key_)} {}

key_registry::hold& key_registry::hold::operator=(hold&& other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(key_, other.key_);
    return *this;
}

key_registry::hold::~hold() {
    if (registry_ == nullptr) return;
    auto& shard = registry_->state_->of(key_);
    const std::lock_guard lock{shard.mutex};
    shard.keys.erase(key_);
}

key_registry::hold key_registry::take(std::string_view tenant, std::string_view key) {
    std::string held = scoped('t', tenant, key);
    auto& shard = state_->of(held);
    {
        const std::lock_guard lock{shard.mutex};
        if (!shard.keys.insert(held).second) return {};
    }
    hold taken;
    taken.registry_ = this;
    taken.key_ = std::move(held);
    return taken;
}

}  // namespace flexcore::bus
