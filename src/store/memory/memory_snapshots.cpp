#include "store/memory/memory_snapshots.hpp"

#include <map>
#include <mutex>

namespace flexcore::store::memory {
namespace {

class memory_snapshots final : public snapshot_store {
public:
    std::optional<snapshot> find(std::string_view tenant, std::string_view stream,
                                 std::uint32_t reducer) override {
        const std::lock_guard lock{mutex_};
        const auto found = kept_.find({std::string{tenant}, std::string{stream}});
        if (found == kept_.end()) return std::nullopt;
        const auto of = found->second.find(reducer);
        return of == found->second.end() ? std::nullopt : std::optional{of->second};
    }
    void put(std::string_view tenant, std::string_view stream, std::uint32_t reducer,
             const snapshot& taken) override {
        const std::lock_guard lock{mutex_};
        if (stopped_) return;
        auto& of = kept_[{std::string{tenant}, std::string{stream}}];
        of.erase(of.begin(), of.lower_bound(reducer));
        of[reducer] = taken;
    }
    void drop(std::string_view tenant, std::string_view stream) override {
        const std::lock_guard lock{mutex_};
        kept_.erase({std::string{tenant}, std::string{stream}});
    }
    void stop() override {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
        kept_.clear();
    }

private:
    std::mutex mutex_;
    std::map<std::pair<std::string, std::string>, std::map<std::uint32_t, snapshot>> kept_;
    bool stopped_ = false;
};

}  // namespace

std::unique_ptr<snapshot_store> open_snapshots() { return std::make_unique<memory_snapshots>(); }

}  // namespace flexcore::store::memory
