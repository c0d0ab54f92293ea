#include "telemetry/health.hpp"

#include <map>
#include <mutex>
#include <utility>

namespace flexcore::telemetry {

struct health_registry::state {
    struct entry {
        bool needed_for_ready;
        check read;
    };
    // Held while the checks run: after `remove` has returned, no check of that name runs.
    std::mutex mutex;
    std::map<std::string, entry> entries;
};

health_registry::health_registry() : state_{std::make_unique<state>()} {}
health_registry::~health_registry() = default;

void health_registry::add(std::string name, bool needed_for_ready, check read) {
    const std::lock_guard lock{state_->mutex};
    state_->entries.insert_or_assign(std::move(name),
                                     state::entry{needed_for_ready, std::move(read)});
}

void health_registry::remove(const std::string& name) {
    const std::lock_guard lock{state_->mutex};
    state_->entries.erase(name);
}

std::vector<named_health> health_registry::all() const {
    const std::lock_guard lock{state_->mutex};
    std::vector<named_health> out;
    out.reserve(state_->entries.size());
    for (const auto& [name, entry] : state_->entries)
        out.push_back({name, entry.read(), entry.needed_for_ready});
    return out;
}

}  // namespace flexcore::telemetry
