// projection_behavior: what turns events into rows, as a port. Implemented by the plugin module.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/event.hpp"
#include "store/view_store.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::domain {

/// Where a projection writes; rows belong to the tenant of the events at hand.
class projection_views {
public:
    virtual ~projection_views() = default;
    [[nodiscard]] virtual result<std::optional<store::row>> get(std::string_view model,
                                                                std::string_view key) = 0;
    [[nodiscard]] virtual result<void> put(std::string_view model, std::string_view key,
                                           std::string_view row_json, store::position) = 0;
    [[nodiscard]] virtual result<void> remove(std::string_view model, std::string_view key,
                                              store::position) = 0;
    [[nodiscard]] virtual result<store::row_page> scan(std::string_view model,
                                                       const store::scan_query&) = 0;
};

class projection_behavior {
public:
    virtual ~projection_behavior() = default;
    /// Applies events of one tenant, in order. `done` runs once, inside the call or later on any
    /// thread, at the deadline at the latest; events and views stay valid until then. A failure
    /// rolls everything back and may name the position of the poison event ("position" member).
    virtual void apply(std::string_view tenant, std::span<const store::recorded_event>,
                       projection_views&, deadline until,
                       std::move_only_function<void(result<void>)> done) = 0;
};

struct projection_spec {
    std::string name;
    std::uint32_t version = 1;
    std::string plugin;
    store::selector selector;
    bool inline_mode = false;
    std::size_t batch_max = 500;
    std::vector<store::model_spec> models;  ///< what it writes; a model has one writer
};

}  // namespace flexcore::domain
