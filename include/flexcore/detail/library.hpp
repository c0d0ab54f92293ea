// The C tables, filled from a plugin's class. Nothing here is for plugin authors.
//
// Everything is a template over a tag type that FLEXCORE_PLUGIN puts into an unnamed namespace:
// the statics below thus have internal linkage. A template static with external linkage would be a
// GNU_UNIQUE symbol: shared between plugins, and the library could never be unmapped.
#pragma once

#include <concepts>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "description.hpp"

namespace flexcore::plugin::detail {

template <class Plugin>
struct instance {
    instance(const plugin::host& from, std::string_view config)
        : host{from}, plugin{make(from, config)} {}

    static Plugin make(const plugin::host& from, std::string_view config) {
        if constexpr (std::constructible_from<Plugin, const plugin::host&, std::string_view>)
            return Plugin{from, config};
        else if constexpr (std::constructible_from<Plugin, const plugin::host&>)
            return Plugin{from};
        else
            return Plugin{};
    }
    static instance& of(fxc_instance* raw) noexcept { return *reinterpret_cast<instance*>(raw); }

    plugin::host host;
    Plugin plugin;
};

template <class Tag>
class library {
    using plugin_type = typename Tag::plugin;
    using self = instance<plugin_type>;
    using state_type = aggregate_state<plugin_type>;

    static constexpr bool processes =
        requires(plugin_type& p, std::string_view in) { p.process(in); } ||
        requires(plugin_type& p, const message& in) { p.process(in); } ||
        requires(plugin_type& p, const message& in, completion& done) { p.process(in, done); };
    static constexpr bool reconfigures =
        requires(plugin_type& p, std::string_view config) { p.reconfigure(config); };
    static constexpr bool hears_cancel = requires(plugin_type& p, call c) { p.cancel(c); };

    /// What `describe` said, with the tables that point into it.
    struct told {
        description<plugin_type> what;
        std::string catalogue;
        std::vector<const char*> interfaces, capabilities;
        fxc_projection projection{sizeof(fxc_projection), 0, &apply};
        fxc_plugin_info info{};

        told() {
            plugin_type::describe(what);
            catalogue = what.catalogue();
            interfaces.push_back(FXC_LIFECYCLE);
            if (what.has_aggregates()) interfaces.push_back(FXC_AGGREGATE_NATIVE);
            if (what.has_projections()) interfaces.push_back(FXC_PROJECTION);
            if (what.has_queries()) interfaces.push_back(FXC_QUERY_HANDLER);
            if (processes) interfaces.push_back(FXC_PROCESSOR);
            interfaces.push_back(nullptr);
            for (const auto& each : what.capabilities) capabilities.push_back(each.c_str());
            capabilities.push_back(nullptr);
            projection.batch_max = what.projection_batch_max;
            if (what.config_schema.empty()) what.config_schema = R"({"type":"object"})";
            info.struct_size = sizeof info;
            info.flags = (what.reentrant ? std::uint32_t{FXC_REENTRANT} : 0u) |
                         (what.unloadable ? std::uint32_t{FXC_UNLOADABLE} : 0u) |
                         (what.isolate ? std::uint32_t{FXC_ISOLATE} : 0u);
            info.id = what.id.c_str();
            info.version = what.version.c_str();
            info.interfaces = interfaces.data();
            info.capabilities = capabilities.data();
            info.config_schema = what.config_schema.c_str();
            info.catalogue = catalogue.c_str();
            info.in_flight_max = what.in_flight_max;
        }
    };
    static const told& description_of_plugin() {
        static const told once;
        return once;
    }

    // ---- the library ----------------------------------------------------------------------

    static const fxc_plugin_info* info(std::uint32_t index) noexcept {
        if (index != 0) return nullptr;
        try {
            return &description_of_plugin().info;
        } catch (...) {
            return nullptr;
        }
    }
    static fxc_status open(const fxc_host* host) noexcept {
        if (host == nullptr || !FXC_HAS(fxc_host, host, service)) return FXC_UNSUPPORTED;
        opened_with = host;
        return FXC_OK;
    }
    static void close() noexcept { opened_with = nullptr; }
    static fxc_status create(std::uint32_t index, fxc_view config, fxc_instance** out,
                             fxc_buffer* error_out) noexcept {
        if (index != 0) return FXC_NOT_FOUND;
        return guarded(error_out, [&] {
            auto* made = new self{plugin::host{opened_with}, text(config)};
            *out = reinterpret_cast<fxc_instance*>(made);
        });
    }
    static void destroy(fxc_instance* raw) noexcept { delete &self::of(raw); }

    static const void* find_interface(fxc_instance*, const char* wanted) noexcept {
        const std::string_view id{wanted};
        const auto& told = description_of_plugin();
        if (id == FXC_LIFECYCLE) return &lifecycle_table;
        if (id == FXC_AGGREGATE_NATIVE && told.what.has_aggregates()) return &aggregate_table;
        if (id == FXC_PROJECTION && told.what.has_projections()) return &told.projection;
        if (id == FXC_QUERY_HANDLER && told.what.has_queries()) return &query_table;
        if (id == FXC_PROCESSOR && processes) return &processor_table;
        return nullptr;
    }

    // ---- life -----------------------------------------------------------------------------

    static completion completes(fxc_instance* raw, fxc_call call) noexcept {
        return {self::of(raw).host.raw(), call};
    }
    static void start(fxc_instance* raw, fxc_call call) noexcept {
        auto done = completes(raw, call);
        auto& plugin = self::of(raw).plugin;
        guarded(done, [&] {
            if constexpr (requires { plugin.start(done); }) return plugin.start(done);
            if constexpr (requires { plugin.start(); }) plugin.start();
            done.succeed();
        });
    }
    static void drain(fxc_instance* raw, fxc_call call) noexcept {
        auto done = completes(raw, call);
        auto& plugin = self::of(raw).plugin;
        guarded(done, [&] {
            if constexpr (requires { plugin.drain(done); }) return plugin.drain(done);
            if constexpr (requires { plugin.drain(); }) plugin.drain();
            done.succeed();
        });
    }
    static void health(fxc_instance* raw, fxc_call call) noexcept {
        auto done = completes(raw, call);
        auto& plugin = self::of(raw).plugin;
        guarded(done, [&] {
            if constexpr (requires { plugin.health(); }) {
                if (const std::string unwell = plugin.health(); !unwell.empty())
                    return done.fail(FXC_UNAVAILABLE, unwell);
            }
            done.succeed();
        });
    }
    static void cancel(fxc_instance* raw, fxc_call victim) noexcept {
        if constexpr (hears_cancel) {
            try {
                self::of(raw).plugin.cancel(call{self::of(raw).host.raw(), victim});
            } catch (...) {
                // A hint without an answer: there is nobody to tell.
            }
        }
    }
    static void reconfigure(fxc_instance* raw, fxc_call call, fxc_view config) noexcept {
        auto done = completes(raw, call);
        if constexpr (reconfigures) {
            guarded(done, [&] {
                self::of(raw).plugin.reconfigure(text(config));
                done.succeed();
            });
        } else {
            done.fail(FXC_UNSUPPORTED, "takes its configuration at its creation only");
        }
    }

    // ---- work -----------------------------------------------------------------------------

    static void process(fxc_instance* raw, fxc_call call, const fxc_message* const* in,
                        std::size_t count) noexcept {
        auto done = completes(raw, call);
        if (count != 1) return done.fail(FXC_INVALID, "a processor takes one message");
        if constexpr (processes) {
            auto& plugin = self::of(raw).plugin;
            const message input{*in[0]};
            guarded(done, [&] {
                if constexpr (requires { plugin.process(input, done); })
                    plugin.process(input, done);
                else if constexpr (requires { plugin.process(input); })
                    done.succeed(plugin.process(input));
                else
                    done.succeed(plugin.process(input.payload()));
            });
        }
    }
    static void ask(fxc_instance* raw, fxc_call call, const fxc_message* const* in,
                    std::size_t count) noexcept {
        auto done = completes(raw, call);
        if (count != 1) return done.fail(FXC_INVALID, "a query is one message");
        guarded(done, [&] {
            const plugin::call about{self::of(raw).host.raw(), call};
            const auto* handler = description_of_plugin().what.find_query(about.target());
            if (handler == nullptr)
                return done.fail(FXC_NOT_FOUND, "no query " + std::string{about.target()});
            const query asked{about.target(), message{*in[0]}.payload(), about};
            const views from{self::of(raw).host, call};
            (*handler)(self::of(raw).plugin, asked, from, done);
        });
    }
    static void apply(fxc_instance* raw, fxc_call call, const fxc_message* const* in,
                      std::size_t count) noexcept {
        auto done = completes(raw, call);
        guarded(done, [&] {
            const auto target = plugin::call{self::of(raw).host.raw(), call}.target();
            const auto* applier = description_of_plugin().what.find_projection(target);
            if (applier == nullptr)
                return done.fail(FXC_NOT_FOUND, "no projection " + std::string{target});
            projection_views into{self::of(raw).host, call};
            (*applier)(self::of(raw).plugin, {in, count}, into);
            done.succeed();
        });
    }

    // ---- aggregates -----------------------------------------------------------------------

    static state_type& state_of(fxc_state* raw) noexcept {
        return *reinterpret_cast<state_type*>(raw);
    }
    static const state_type& state_of(const fxc_state* raw) noexcept {
        return *reinterpret_cast<const state_type*>(raw);
    }
    static fxc_status load(fxc_instance*, fxc_view category, fxc_view snapshot, fxc_state** out,
                           fxc_buffer* error_out) noexcept {
        return guarded(error_out, [&] {
            const auto* loader = description_of_plugin().what.find_aggregate(text(category));
            if (loader == nullptr)
                throw failure{FXC_NOT_FOUND, "no aggregate " + std::string{text(category)}};
            *out = reinterpret_cast<fxc_state*>((*loader)(text(snapshot)).release());
        });
    }
    static void release(fxc_instance*, fxc_state* raw) noexcept { delete &state_of(raw); }
    static void decide(fxc_instance* raw, fxc_call call, const fxc_state* state,
                       const fxc_message* in) noexcept {
        auto done = completes(raw, call);
        state_of(state).decide(self::of(raw).plugin, command{*in}, done);
    }
    static fxc_status evolve(fxc_instance*, fxc_state* state, const fxc_message* const* events,
                             std::size_t count, fxc_buffer* error_out) noexcept {
        return guarded(error_out, [&] {
            for (std::size_t i = 0; i < count; ++i) state_of(state).evolve(event{*events[i]});
        });
    }
    static fxc_status snapshot(fxc_instance*, const fxc_state* state, fxc_buffer* out) noexcept {
        return guarded(nullptr, [&] { *out = owned_buffer(state_of(state).snapshot()); });
    }

    static inline const fxc_host* opened_with = nullptr;  // [loader]; instances keep their own
    static constexpr fxc_lifecycle lifecycle_table{sizeof(fxc_lifecycle),
                                                   0,
                                                   &start,
                                                   &drain,
                                                   &health,
                                                   hears_cancel ? &cancel : nullptr,
                                                   reconfigures ? &reconfigure : nullptr};
    static constexpr fxc_aggregate_native aggregate_table{
        sizeof(fxc_aggregate_native), 0, &load, &release, &decide, &evolve, &snapshot};
    static constexpr fxc_single query_table{sizeof(fxc_single), 0, &ask};
    static constexpr fxc_single processor_table{sizeof(fxc_single), 0, &process};

public:
    static constexpr fxc_library table{
        sizeof(fxc_library), 1, &info, &open, &close, &create, &destroy, &find_interface};

    static fxc_status negotiate(const fxc_offer* offer, fxc_answer* answer) noexcept {
        if (offer == nullptr || answer == nullptr || !FXC_HAS(fxc_answer, answer, error))
            return FXC_INVALID;
        answer->library = nullptr;
        answer->error = nullptr;
        if (!FXC_HAS(fxc_offer, offer, minor) || offer->magic != FXC_ABI_MAGIC) {
            answer->error = "this is not a FlexCore host";
            return FXC_INVALID;
        }
        if (offer->major_min > FXC_ABI_MAJOR || offer->major_max < FXC_ABI_MAJOR) {
            answer->error = "built for another major version of the FlexCore ABI";
            return FXC_UNSUPPORTED;
        }
        answer->major = FXC_ABI_MAJOR;
        answer->minor_needed = 0;
        answer->library = &table;
        return FXC_OK;
    }
};

}  // namespace flexcore::plugin::detail
