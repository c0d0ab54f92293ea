#include "plugin/registration_impl.hpp"

#include "bus/errc.hpp"
#include "plugin/behaviors/aggregate.hpp"
#include "plugin/behaviors/projection.hpp"
#include "plugin/behaviors/query.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <ranges>

namespace flexcore::plugin {
namespace {

constexpr std::size_t projection_batch_max = 1'000;
constexpr auto rollback_timeout = std::chrono::seconds{5};

/// The port without ownership: the runtime outlives every registration.
std::shared_ptr<bus::command_handler> unowned(bus::command_handler& handler) {
    return {std::shared_ptr<void>{}, &handler};
}

std::unexpected<error> clash(std::string_view what, std::string_view name, error why) {
    if (why.code == bus::bus_errc::duplicate_name)
        return fail(plugin_errc::bad_catalogue,
                    fmt::format("bad catalogue: the {} \"{}\" clashes with another plugin's: {}",
                                what, name, why.client));
    return fail(std::move(why));
}

}  // namespace

/// Removals that have begun and not ended. Shared with their callbacks.
struct registration::outstanding {
    std::mutex mutex;
    std::condition_variable none;
    std::size_t count = 0;

    void begin() {
        const std::lock_guard lock{mutex};
        ++count;
    }
    void end() {
        const std::lock_guard lock{mutex};
        if (--count == 0) none.notify_all();
    }
};

registration::registration(plugin_host::wiring& to)
    : to_{to}, outstanding_{std::make_shared<outstanding>()} {}
registration::~registration() = default;

result<void> registration::add(const std::shared_ptr<instance>& of) {
    auto added = add_all(of);
    if (!added) {
        remove();
        (void)wait_removed(monotonic::now() + rollback_timeout);
    }
    return added;
}

result<void> registration::add_all(const std::shared_ptr<instance>& of) {
    const catalogue& all = of->brings();
    for (const auto& entry : all.projections)
        if (auto ok = add_projection(of, entry); !ok) return ok;
    for (const auto& entry : all.aggregates)
        if (auto ok = add_aggregate(of, entry); !ok) return ok;
    for (const auto& entry : all.queries)
        if (auto ok = add_query(of, entry); !ok) return ok;
    for (const auto& entry : all.aggregates)
        for (const auto& command : entry.commands)
            if (auto ok = add_command(of, entry, command); !ok) return ok;
    return {};
}

result<void> registration::add_projection(const std::shared_ptr<instance>& of,
                                          const projection_entry& entry) {
    domain::projection_spec spec;
    spec.name = entry.name;
    spec.version = entry.version;
    spec.plugin = of->name();
    spec.selector = entry.selector;
    spec.inline_mode = entry.inline_mode;
    if (const std::uint32_t most = of->tables().projection->batch_max; most != 0)
        spec.batch_max = std::min<std::size_t>(most, projection_batch_max);
    for (const auto& model : entry.writes) spec.models.push_back(*of->brings().read_model(model));
    auto added = to_.projections.add(std::move(spec), make_projection(of, entry));
    if (!added) return clash("projection", entry.name, std::move(added).error());
    projections_.push_back(entry.name);
    return {};
}

result<void> registration::add_aggregate(const std::shared_ptr<instance>& of,
                                         const aggregate_entry& entry) {
    auto added = to_.aggregates.add({entry.category, entry.reducer_version, of->name()},
                                    make_aggregate(of, entry));
    if (!added) return clash("aggregate", entry.category, std::move(added).error());
    aggregates_.push_back(entry.category);
    return {};
}

result<void> registration::add_query(const std::shared_ptr<instance>& of,
                                     const query_entry& entry) {
    auto added = to_.queries.add({entry.name, of->name(), entry.description, entry.params_schema,
                                  entry.reads, entry.varies_by_principal, entry.cache},
                                 make_query(of, entry));
    if (!added) return clash("query", entry.name, std::move(added).error());
    queries_.push_back(entry.name);
    return {};
}

result<void> registration::add_command(const std::shared_ptr<instance>& of,
                                       const aggregate_entry& entry, const command_entry& command) {
    auto added = to_.commands.add(
        {command.type, entry.category, of->name(), command.description, command.data_schema},
        unowned(to_.aggregates));
    if (!added) return clash("command", command.type, std::move(added).error());
    commands_.push_back(command.type);
    return {};
}

void registration::remove() {
    const auto take = [](std::vector<std::string>& names, auto remove) {
        for (const auto& name : std::views::reverse(names)) remove(name);
        names.clear();
    };
    const auto ended = [&] {
        outstanding_->begin();
        return [counted = outstanding_] { counted->end(); };
    };
    take(commands_, [&](const std::string& name) { to_.commands.remove(name); });
    take(queries_, [&](const std::string& name) { to_.queries.remove(name); });
    take(aggregates_, [&](const std::string& name) { to_.aggregates.remove(name, ended()); });
    take(projections_, [&](const std::string& name) { to_.projections.remove(name, ended()); });
}

bool registration::wait_removed(deadline until) const {
    std::unique_lock lock{outstanding_->mutex};
    return outstanding_->none.wait_until(lock, until, [&] { return outstanding_->count == 0; });
}

}  // namespace flexcore::plugin
