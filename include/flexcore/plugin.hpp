// flexcore/plugin.hpp - a FlexCore plugin as an ordinary C++20 class. Needs the standard library
// only.
//
//   class greeter {
//   public:
//       static void describe(flexcore::plugin::description<greeter>& what) {
//           what.id = "com.example.greeter";
//           what.version = "1.0.0";
//       }
//       std::string process(std::string_view name) { return "Hello " + std::string{name}; }
//   };
//   FLEXCORE_PLUGIN(greeter)
//
// Required:   describe, which names what the plugin brings (detail/description.hpp).
// Optional:   a constructor from (const host&, std::string_view config_json) or (const host&);
//             process(std::string_view) or process(const message&), each → std::string, or
//             process(const message&, completion&);
//             start(), drain(), or with completion&; health() → the reason, empty when well;
//             reconfigure(std::string_view config_json); cancel(call).
// Exceptions: none crosses to the host. A `failure` ends the call with its status, any other with
//             FXC_INTERNAL; a completion that is dropped fails its call.
// Threads:    one call at a time unless the description says `reentrant`; health and cancel come at
//             any time. A plugin that makes threads joins them in drain().
// Lifetimes:  `host` until the plugin is destroyed and its last completion gone; messages, queries
//             and views until their call is completed.
#pragma once

#include "detail/aggregate.hpp"    // decision, and what an aggregate class looks like
#include "detail/completion.hpp"   // completion, rejection
#include "detail/description.hpp"  // description, query
#include "detail/library.hpp"
#include "detail/message.hpp"   // message, command, event, call, failure
#include "detail/services.hpp"  // host, metric, views, projection_views

/// Once per library, at file scope: makes `type` its plugin.
#define FLEXCORE_PLUGIN(type)                                                                      \
    namespace {                                                                                    \
    struct flexcore_plugin_tag {                                                                   \
        using plugin = type;                                                                       \
    };                                                                                             \
    }                                                                                              \
    extern "C" FXC_EXPORT fxc_status flexcore_plugin_negotiate(const fxc_offer* offer,             \
                                                               fxc_answer* answer) {               \
        return ::flexcore::plugin::detail::library<flexcore_plugin_tag>::negotiate(offer, answer); \
    }
