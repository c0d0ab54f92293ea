// api: what all routes share, and how they answer.
//
// Threads:  shared by all io threads and workers; members are constant or atomic.
// Lifetime: routes and everything they start hold it, so work that ends after the server has gone
//           still finds it.
#pragma once

#include "base/origins.hpp"
#include "gateway/errc.hpp"
#include "gateway/exchange.hpp"
#include "gateway/held_bytes.hpp"
#include "gateway/places.hpp"
#include "gateway/query_args.hpp"
#include "gateway/router.hpp"
#include "gateway/server.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace flexcore::gateway {

/// Reads handed to the workers and not yet done; beyond this the answer is busy.
inline constexpr std::size_t reads_waiting_max = 1'024;
/// Requests that wait for a read model to come to their position; beyond this the answer is busy.
inline constexpr std::size_t positions_waited_max = 10'000;
/// Stream reads of at most this many events run on the io thread: their cost is a few dozen
/// microseconds, less than two changes of thread. Not when the store is far.
inline constexpr std::size_t io_thread_events_max = 100;

struct api : std::enable_shared_from_this<api> {
    api(http_settings s, http_services v)
        : settings{std::move(s)}, services{std::move(v)}, origins{settings.cors_origins} {}

    const http_settings settings;
    const http_services services;
    const origin_list origins;  ///< of other pages that may ask
    std::atomic<bool> draining{false};
    /// Changes with every plugin that comes or goes: prepared queries of before are void.
    std::atomic<std::uint64_t> catalogue_epoch{1};
    places reads_waiting{reads_waiting_max};
    places positions_waited{positions_waited_max};
    const std::shared_ptr<held_bytes> held = std::make_shared<held_bytes>(settings.held_bytes_max);
    bool loopback = true;  ///< the server listens on a loopback address only
    std::string openapi;   ///< the document, made from the route table

    [[nodiscard]] result<void> may(const request& asked, std::string_view action,
                                   std::string_view resource) const {
        return services.authorizer.may(asked.who, action, resource);
    }
};

inline void give(responder& answer, result<response> out) {
    if (out)
        answer(std::move(*out));
    else
        answer(out.error());
}

[[nodiscard]] inline error too_much_held() {
    return {make_error_code(gateway_errc::busy),
            "Too much waits for clients that do not take it; ask for less, or try again."};
}

/// Whether the answer may be large: reads, but for those by which the server is watched. That of
/// HEAD is made too, for its length.
[[nodiscard]] inline bool may_answer_much(const request& asked) {
    const bool read = asked.method == verb::get || asked.method == verb::head;
    return (read || asked.at->to->tag == "queries") && asked.at->to->tag != "operation";
}

/// Whether it asks for more items than a page has by default.
[[nodiscard]] inline bool asks_for_much(const request& asked) {
    const auto limit = limit_arg(*asked.at);
    return limit && *limit > list_limit_default;
}

/// Runs `work(const request&) → result<response>` on a worker, unless too many wait already or,
/// for a read, too much waits for slow clients: then one that asks for much is not even made. (What
/// turns out large is refused by the connection.)
template <class Work>
void on_worker(const std::shared_ptr<api>& on, responder answer, Work work) {
    places::held place = on->reads_waiting.take();
    if (!place) {
        answer(error{make_error_code(gateway_errc::busy), "Too many reads are waiting."});
        return;
    }
    on->services.workers.post([on, place = std::move(place), answer = std::move(answer),
                               work = std::move(work)]() mutable {
        const request& asked = answer.asked();
        const bool no = on->held->full() && may_answer_much(asked) &&
                        (on->held->spent() || asks_for_much(asked));
        result<response> out = no ? result<response>{fail(too_much_held())} : work(asked);
        if (out) out->counted = hold(on->held, out->bytes().size());
        place = places::held{};
        give(answer, std::move(out));
    });
}

void add_event_routes(router&, const std::shared_ptr<api>&);
void add_stream_routes(router&, const std::shared_ptr<api>&);
void add_append_routes(router&, const std::shared_ptr<api>&);
void add_command_routes(router&, const std::shared_ptr<api>&);
void add_query_routes(router&, const std::shared_ptr<api>&);
void add_read_model_routes(router&, const std::shared_ptr<api>&);
void add_projection_routes(router&, const std::shared_ptr<api>&);
void add_plugin_routes(router&, const std::shared_ptr<api>&);
void add_operation_routes(router&, const std::shared_ptr<api>&);
void add_docs_routes(router&, const std::shared_ptr<api>&);
/// All of the above.
void add_routes(router&, const std::shared_ptr<api>&);

}  // namespace flexcore::gateway
