// catalogue: what a plugin says it brings, parsed and checked (the shape stands at
// fxc_plugin_info.catalogue in flexcore/plugin_abi.h).
//
// Checked: JSON, known members only, names, no name twice, schemas compile, projections write
//          declared read models and each of these has exactly one writer, and the interfaces
//          behind what is declared are offered.
// Errors:  plugin_errc::bad_catalogue, naming the place ("aggregates[0].commands[2].type: …").
// Threads: values, immutable once parsed.
#pragma once

#include "base/result.hpp"
#include "plugin/loading/library.hpp"
#include "schema/schema.hpp"
#include "store/event.hpp"
#include "store/view_store.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::plugin {

struct command_entry {
    std::string type;
    std::string description;
    std::optional<schema> data_schema;
};
struct event_entry {
    std::string type;
    std::uint32_t schema_version = 1;
    std::string description;
    std::optional<schema> data_schema;
};
struct aggregate_entry {
    std::string category;
    std::uint32_t reducer_version = 1;
    std::vector<command_entry> commands;
    std::vector<event_entry> events;

    [[nodiscard]] const event_entry* event(std::string_view type) const noexcept;
};
struct projection_entry {
    std::string name;
    std::uint32_t version = 1;
    store::selector selector;
    bool inline_mode = false;
    std::vector<std::string> writes;
};
struct query_entry {
    std::string name;
    std::string description;
    std::optional<schema> params_schema;
    std::vector<std::string> reads;
    bool varies_by_principal = false;
    bool cache = true;
};
struct catalogue {
    std::vector<aggregate_entry> aggregates;
    std::vector<projection_entry> projections;
    std::vector<store::model_spec> read_models;
    std::vector<query_entry> queries;

    [[nodiscard]] const store::model_spec* read_model(std::string_view name) const noexcept;
    [[nodiscard]] static result<catalogue> parse(const library_info&);
};

}  // namespace flexcore::plugin
