// A plugin's catalogue.
#include "plugin/loading/catalogue.hpp"

#include "base/names.hpp"
#include "fuzz/target.hpp"
#include "plugin/plugin_host.hpp"

#include <set>

namespace {
using namespace flexcore;
using namespace flexcore::plugin;
using fuzz::require;
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    library_info info;
    info.interfaces = {FXC_LIFECYCLE, FXC_AGGREGATE, FXC_PROJECTION, FXC_QUERY_HANDLER};
    info.catalogue = fuzz::text_of(data, size);
    const auto all = catalogue::parse(info);
    if (!all) {
        require(all.error().code == plugin_errc::bad_catalogue, "the documented error");
        require(is_utf8(all.error().client), "the refusal can be shown");
        return 0;
    }
    std::set<std::string> names;
    const auto take = [&](const std::string& kind, const std::string& name) {
        require(is_name(name), "names only");
        require(names.insert(kind + ' ' + name).second, "no name twice");
    };
    for (const auto& aggregate : all->aggregates) {
        take("category", aggregate.category);
        require(aggregate.category.find('-') == std::string::npos, "a category without a dash");
        for (const auto& command : aggregate.commands) take("command", command.type);
        for (const auto& event : aggregate.events) {
            take("event " + aggregate.category, event.type);
            require(aggregate.event(event.type) == &event, "an event is found by its type");
        }
    }
    for (const auto& model : all->read_models) take("model", model.name);
    for (const auto& projection : all->projections) {
        take("projection", projection.name);
        require(projection.version >= 1, "versions begin at 1");
        for (const auto& model : projection.writes) {
            require(all->read_model(model) != nullptr, "what is written is declared");
            take("writer of", model);
        }
    }
    for (const auto& query : all->queries) take("query", query.name);
    return 0;
}
