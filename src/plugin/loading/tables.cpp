#include "plugin/loading/tables.hpp"

#include "base/names.hpp"
#include "plugin/calls/boundary.hpp"
#include "plugin/loading/memory_map.hpp"
#include "plugin/plugin_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <map>
#include <vector>

namespace flexcore::plugin {
namespace {

constexpr std::uint32_t table_bytes_max = 4096;  // no table of ours will grow to this
constexpr std::size_t name_list_max = 64;
constexpr std::size_t json_bytes_max = std::size_t{4} << 20;

std::unexpected<error> refuse(std::string why) {
    return fail(plugin_errc::bad_abi, "breaks the plugin ABI: " + std::move(why));
}

/// What every table has in common: readable, aligned, large enough for the fields we read.
result<void> check_table(const memory_map& map, std::string_view what, const void* table,
                         std::size_t alignment, std::size_t bytes_min) {
    if (table == nullptr) return refuse(fmt::format("{} is NULL", what));
    if (reinterpret_cast<std::uintptr_t>(table) % alignment != 0 ||
        !map.readable(table, sizeof(std::uint32_t)))
        return refuse(fmt::format("{} does not point to a table", what));
    std::uint32_t size = 0;
    std::memcpy(&size, table, sizeof size);
    if (size < bytes_min)
        return refuse(fmt::format("{}: struct_size {} is too small, {} bytes are needed", what,
                                  size, bytes_min));
    if (size > table_bytes_max)
        return refuse(fmt::format("{}: struct_size {} cannot be right", what, size));
    if (!map.readable(table, size))
        return refuse(fmt::format("{} does not point to a whole table", what));
    return {};
}

template <class Function>
const void* pointer_to(Function* function) {
    return std::bit_cast<const void*>(function);
}

struct named_function {
    std::string_view name;
    const void* address;
    bool optional = false;
};

result<void> check_functions(const memory_map& map, std::string_view table,
                             const std::vector<named_function>& functions) {
    for (const auto& [name, address, optional] : functions) {
        if (address == nullptr) {
            if (optional) continue;
            return refuse(fmt::format("{}.{} is NULL", table, name));
        }
        if (!map.executable(address))
            return refuse(fmt::format("{}.{} does not point to a function", table, name));
    }
    return {};
}

result<std::string> check_text(const memory_map& map, std::string_view what, const char* text,
                               std::size_t bytes_max) {
    const auto found = map.text(text, bytes_max);
    if (!found) return refuse(fmt::format("{} is not a text of at most {} bytes", what, bytes_max));
    if (!is_utf8(*found)) return refuse(fmt::format("{} is not UTF-8", what));
    return std::string{*found};
}

result<std::string> check_optional_text(const memory_map& map, std::string_view what,
                                        const char* text) {
    if (text == nullptr) return std::string{};
    return check_text(map, what, text, json_bytes_max);
}

result<std::vector<std::string>> check_list(const memory_map& map, std::string_view what,
                                            const char* const* list, bool required) {
    std::vector<std::string> texts;
    if (list == nullptr) {
        if (required) return refuse(fmt::format("{} is NULL", what));
        return texts;
    }
    if (reinterpret_cast<std::uintptr_t>(list) % alignof(const char*) != 0)
        return refuse(fmt::format("{} is not a list", what));
    for (std::size_t i = 0;; ++i) {
        if (i > name_list_max)
            return refuse(fmt::format("{} does not end within {} entries", what, name_list_max));
        if (!map.readable(static_cast<const void*>(list + i), sizeof *list))
            return refuse(fmt::format("{} is not a list", what));
        if (list[i] == nullptr) return texts;
        auto text = check_text(map, fmt::format("{}[{}]", what, i), list[i], name_bytes_max);
        if (!text) return fail(std::move(text).error());
        texts.push_back(*std::move(text));
    }
}

bool is_semantic_version(std::string_view text) {
    // 1.2.3, 1.2.3-rc.1+build: three numbers, then anything a version may hold.
    std::size_t at = 0;
    for (int part = 0; part < 3; ++part) {
        if (part > 0) {
            if (at >= text.size() || text[at] != '.') return false;
            ++at;
        }
        const std::size_t from = at;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
        if (at == from) return false;
    }
    if (at == text.size()) return true;
    if (text[at] != '-' && text[at] != '+') return false;
    return at + 1 < text.size() && std::ranges::all_of(text.substr(at + 1), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '.' || c == '-' || c == '+';
           });
}

bool is_interface_id(std::string_view id) {
    const auto slash = id.rfind('/');
    return is_name(id) && slash != std::string_view::npos && slash + 1 < id.size() &&
           std::ranges::all_of(id.substr(slash + 1), [](char c) { return c >= '0' && c <= '9'; });
}

result<library_info> check_info(const memory_map& map, const fxc_plugin_info* raw) {
    constexpr auto needed =
        offsetof(fxc_plugin_info, in_flight_max) + sizeof(fxc_plugin_info::in_flight_max);
    if (auto ok = check_table(map, "fxc_plugin_info", raw, alignof(fxc_plugin_info), needed); !ok)
        return fail(std::move(ok).error());
    library_info info;
    info.flags = raw->flags;
    info.in_flight_max = raw->in_flight_max;

    auto id = check_text(map, "fxc_plugin_info.id", raw->id, name_bytes_max);
    if (!id) return fail(std::move(id).error());
    if (!is_name(*id)) return refuse("fxc_plugin_info.id is not a name");
    info.id = *std::move(id);
    auto version = check_text(map, "fxc_plugin_info.version", raw->version, 64);
    if (!version) return fail(std::move(version).error());
    if (!is_semantic_version(*version))
        return refuse("fxc_plugin_info.version is not a semantic version (1.2.3)");
    info.version = *std::move(version);

    auto interfaces = check_list(map, "fxc_plugin_info.interfaces", raw->interfaces, true);
    if (!interfaces) return fail(std::move(interfaces).error());
    info.interfaces = *std::move(interfaces);
    for (auto at = info.interfaces.begin(); at != info.interfaces.end(); ++at) {
        if (!is_interface_id(*at))
            return refuse(
                fmt::format("\"{}\" is not an interface id (\"flexcore.processor/1\")", *at));
        if (at->ends_with("/0"))
            return fail(plugin_errc::unsupported,
                        fmt::format("the interface {} is unstable and not in this host", *at));
        if (std::find(info.interfaces.begin(), at, *at) != at)
            return refuse(fmt::format("the interface {} is listed twice", *at));
    }
    if (!info.offers(FXC_LIFECYCLE))
        return refuse("fxc_plugin_info.interfaces does not list " FXC_LIFECYCLE);
    if ((info.flags & FXC_ISOLATE) != 0)
        return fail(
            plugin_errc::unsupported,
            "it asks for a process of its own (FXC_ISOLATE), which this host does not offer");

    auto capabilities = check_list(map, "fxc_plugin_info.capabilities", raw->capabilities, false);
    if (!capabilities) return fail(std::move(capabilities).error());
    info.capabilities = *std::move(capabilities);
    auto schema = check_optional_text(map, "fxc_plugin_info.config_schema", raw->config_schema);
    if (!schema) return fail(std::move(schema).error());
    info.config_schema = *std::move(schema);
    auto catalogue = check_optional_text(map, "fxc_plugin_info.catalogue", raw->catalogue);
    if (!catalogue) return fail(std::move(catalogue).error());
    info.catalogue = *std::move(catalogue);
    return info;
}

}  // namespace

result<checked_answer> check_answer(const std::string& plugin, fxc_status status,
                                    const fxc_answer& answer) {
    auto map = memory_map::now();
    if (!map) return fail(std::move(map).error());
    if (status != FXC_OK) {
        const auto why = map->text(answer.error, 1024);
        return refuse(fmt::format("the plugin does not accept this host{}{}", why ? ": " : "",
                                  why ? to_utf8(*why) : std::string{}));
    }
    if (answer.major != FXC_ABI_MAJOR)
        return refuse(
            fmt::format("it chose ABI {}, this host has {}", answer.major, FXC_ABI_MAJOR));
    if (answer.minor_needed > FXC_ABI_MINOR)
        return refuse(fmt::format("it needs ABI {}.{}, this host has {}.{}", answer.major,
                                  answer.minor_needed, FXC_ABI_MAJOR, FXC_ABI_MINOR));

    const fxc_library* const table = answer.library;
    constexpr auto needed = sizeof(fxc_library);
    if (auto ok = check_table(*map, "fxc_library", table, alignof(fxc_library), needed); !ok)
        return fail(std::move(ok).error());
    if (auto ok = check_functions(*map, "fxc_library",
                                  {{"info", pointer_to(table->info)},
                                   {"open", pointer_to(table->open)},
                                   {"close", pointer_to(table->close)},
                                   {"create", pointer_to(table->create)},
                                   {"destroy", pointer_to(table->destroy)},
                                   {"find_interface", pointer_to(table->find_interface)}});
        !ok)
        return fail(std::move(ok).error());
    if (table->plugin_count != 1)
        return fail(plugin_errc::unsupported,
                    fmt::format("the library holds {} plugins; this host loads one per file",
                                table->plugin_count));

    const fxc_plugin_info* raw = nullptr;
    if (auto thrown = guard(plugin, [&] { raw = table->info(0); }))
        return fail(plugin_errc::bad_abi, "its info() threw an exception", *thrown);
    map = memory_map::now();  // info() may have allocated what it shows
    if (!map) return fail(std::move(map).error());
    auto info = check_info(*map, raw);
    if (!info) return fail(std::move(info).error());
    return checked_answer{table, *std::move(info)};
}

result<interface_tables> check_interfaces(const library& from, fxc_instance* instance) {
    constexpr std::array<const char*, 6> ids{FXC_LIFECYCLE, FXC_PROCESSOR,        FXC_QUERY_HANDLER,
                                             FXC_AGGREGATE, FXC_AGGREGATE_NATIVE, FXC_PROJECTION};
    std::map<std::string_view, const void*> given;
    auto thrown = guard(from.name(), [&] {
        for (const char* id : ids)
            if (from.info().offers(id)) given[id] = from.table().find_interface(instance, id);
    });
    if (thrown)
        return fail(plugin_errc::bad_abi, "its find_interface() threw an exception", *thrown);
    auto map = memory_map::now();
    if (!map) return fail(std::move(map).error());

    result<void> outcome;
    const auto take = [&]<class Table>(const char* id, const Table*& to, auto functions_of) {
        const auto found = given.find(id);
        if (!outcome || found == given.end()) return;
        if (found->second == nullptr) {
            outcome = refuse(fmt::format("it lists {}, but find_interface does not give it", id));
            return;
        }
        outcome = check_table(*map, id, found->second, alignof(Table), sizeof(Table));
        if (!outcome) return;
        to = static_cast<const Table*>(found->second);
        outcome = check_functions(*map, id, functions_of(*to));
    };
    using functions = std::vector<named_function>;
    const auto handle = [](const fxc_single& t) {
        return functions{{"handle", pointer_to(t.handle)}};
    };
    interface_tables tables;
    take(FXC_LIFECYCLE, tables.lifecycle, [](const fxc_lifecycle& t) {
        return functions{{"start", pointer_to(t.start)},
                         {"drain", pointer_to(t.drain)},
                         {"health", pointer_to(t.health)},
                         {"cancel", pointer_to(t.cancel), true},
                         {"reconfigure", pointer_to(t.reconfigure), true}};
    });
    take(FXC_PROCESSOR, tables.processor, handle);
    take(FXC_QUERY_HANDLER, tables.query_handler, handle);
    take(FXC_AGGREGATE, tables.aggregate, [](const fxc_aggregate& t) {
        return functions{{"decide", pointer_to(t.decide)}, {"evolve", pointer_to(t.evolve)}};
    });
    take(FXC_AGGREGATE_NATIVE, tables.aggregate_native, [](const fxc_aggregate_native& t) {
        return functions{{"load", pointer_to(t.load)},
                         {"release", pointer_to(t.release)},
                         {"decide", pointer_to(t.decide)},
                         {"evolve", pointer_to(t.evolve)},
                         {"snapshot", pointer_to(t.snapshot)}};
    });
    take(FXC_PROJECTION, tables.projection,
         [](const fxc_projection& t) { return functions{{"apply", pointer_to(t.apply)}}; });
    if (!outcome) return fail(std::move(outcome).error());
    return tables;
}

}  // namespace flexcore::plugin
