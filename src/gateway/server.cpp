#include "gateway/server.hpp"

#include "gateway/openapi.hpp"
#include "gateway/shard.hpp"
#include "runtime/io_pool.hpp"
#include "telemetry/log.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

namespace flexcore::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr int listen_backlog = 4096;

/// Linux shows a port's sharing to later sockets from the moment the option is set, so the first
/// one binds and listens alone, which fails when anybody else has the port, and only then lets the
/// others in. There is no moment at which a second server could slip in between.
result<tcp::acceptor> open_listener(asio::io_context& context, const tcp::endpoint& where,
                                    bool first) {
    boost::system::error_code bad;
    tcp::acceptor out{context};
    const auto refused = [&](std::string_view step) {
        std::string what = bad == asio::error::address_in_use
                               ? "port " + std::to_string(where.port()) + " is taken"
                               : std::string{step} + ": " + bad.message();
        // The code lets the caller ask who has the port.
        return fail(error{bad == asio::error::address_in_use
                              ? std::make_error_code(std::errc::address_in_use)
                              : make_error_code(base_errc::io),
                          "Cannot listen on " + where.address().to_string() + ":" +
                              std::to_string(where.port()) + ": " + what + "."});
    };
    if (out.open(where.protocol(), bad); bad) return refused("socket");
    if (out.set_option(tcp::acceptor::reuse_address{true}, bad); bad)
        return refused("SO_REUSEADDR");
    if (!first)
        if (out.set_option(reuse_port{true}, bad); bad) return refused("SO_REUSEPORT");
    if (out.bind(where, bad); bad) return refused("bind");
    if (out.listen(listen_backlog, bad); bad) return refused("listen");
    if (first)
        if (out.set_option(reuse_port{true}, bad); bad) return refused("SO_REUSEPORT");
    return out;
}

result<tcp::endpoint> endpoint_of(const http_settings& settings) {
    boost::system::error_code bad;
    const std::string host = settings.host == "localhost" ? "127.0.0.1" : settings.host;
    const asio::ip::address address = asio::ip::make_address(host, bad);
    if (bad)
        return fail(base_errc::io, "Cannot listen on \"" + settings.host +
                                       "\": it is not an IP address of this machine.");
    return tcp::endpoint{address, settings.port};
}

}  // namespace

struct http_server::state {
    state(http_settings settings, http_services services)
        : core{std::make_shared<server_core>(std::move(settings), std::move(services))} {}

    std::shared_ptr<server_core> core;
    std::vector<std::shared_ptr<shard>> shards;
    std::uint16_t port = 0;
    std::mutex mutex;
    deadline drain_until = no_deadline;  ///< under mutex
    bool started = false, stopped = false;

    [[nodiscard]] asio::io_context& context(std::size_t i) { return core->on->services.io.at(i); }
    /// Runs `what` on the io thread of every shard.
    void everywhere(void (shard::*what)()) {
        for (std::size_t i = 0; i < shards.size(); ++i)
            asio::post(context(i), [one = shards[i], what] { ((*one).*what)(); });
    }
    [[nodiscard]] bool wait_closed(deadline until) {
        std::unique_lock lock{core->mutex};
        return core->changed.wait_until(lock, until, [this] { return core->shards_open == 0; });
    }
};

http_server::http_server(http_settings settings, http_services services)
    : state_{std::make_unique<state>(std::move(settings), std::move(services))} {
    api& on = *state_->core->on;
    on.openapi = openapi_document(state_->core->table, on.services.version);
}

http_server::~http_server() { stop(); }

result<void> http_server::start() {
    state& s = *state_;
    api& on = *s.core->on;
    auto where = endpoint_of(on.settings);
    if (!where) return fail(std::move(where.error()));
    on.loopback = where->address().is_loopback();

    std::vector<tcp::acceptor> listeners;
    for (std::size_t i = 0; i < on.services.io.size(); ++i) {
        auto one = open_listener(s.context(i), *where, i == 0);
        if (!one) return fail(std::move(one.error()));
        boost::system::error_code bad;
        if (i == 0) where->port(one->local_endpoint(bad).port());
        listeners.push_back(std::move(*one));
    }
    s.port = where->port();
    s.core->shards_open = listeners.size();
    s.started = true;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        auto one = std::make_shared<shard>(s.context(i), s.core);
        s.shards.push_back(one);
        asio::post(s.context(i), [one, listener = std::move(listeners[i])]() mutable {
            one->listen(std::move(listener));
        });
    }
    telemetry::log(telemetry::level::info, "gateway", "listening",
                   {{"host", std::string_view{on.settings.host}},
                    {"port", static_cast<std::int64_t>(s.port)},
                    {"threads", static_cast<std::int64_t>(s.shards.size())}});
    return {};
}

std::uint16_t http_server::port() const noexcept { return state_->port; }

void http_server::begin_drain() {
    state& s = *state_;
    const std::lock_guard lock{s.mutex};
    if (s.drain_until != no_deadline) return;
    s.core->on->draining.store(true, std::memory_order_release);
    s.drain_until = monotonic::now() + s.core->on->settings.drain;
}

void http_server::stop() {
    state& s = *state_;
    if (!s.started || s.stopped) return;
    s.stopped = true;
    begin_drain();
    const deadline latest = monotonic::now() + s.core->on->settings.stop_max;
    // Nothing closes during the drain, so this waits it out.
    (void)s.wait_closed(s.drain_until);
    s.everywhere(&shard::stop_accepting);
    s.everywhere(&shard::finish);
    if (s.wait_closed(latest)) return;
    telemetry::log(telemetry::level::warn, "gateway", "closing connections that did not finish",
                   {{"connections", static_cast<std::uint64_t>(s.core->connections.load())}});
    s.everywhere(&shard::abort);
    (void)s.wait_closed(monotonic::now() + std::chrono::seconds{1});
}

}  // namespace flexcore::gateway
