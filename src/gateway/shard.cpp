#include "gateway/shard.hpp"

#include "gateway/connection.hpp"
#include "gateway/problem.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <array>
#include <ctime>

namespace flexcore::gateway {
namespace {

namespace asio = boost::asio;

constexpr std::size_t spare_exchanges_max = 256;
/// Out of file descriptors: a socket in the queue stays there, and so would accept's error.
constexpr monotonic::duration accept_pause = std::chrono::milliseconds{100};
/// Written without a request, and not to the log: whoever floods the server would flood that too.
std::string refusal(std::string_view request_id, std::string_view date) {
    response out;
    out.status = 503;
    out.content_type = problem_type;
    out.headers.push_back({"Retry-After", "1"});
    out.body = problem_json(
        {make_error_code(gateway_errc::busy), "The server has as many connections as it may have."},
        "/", request_id);
    std::string text;
    append_head(text, out, {.request_id = request_id, .date = date, .close = true});
    return text += out.body;
}

bool is_exhaustion(const boost::system::error_code& code) {
    for (const int one : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
        if (code == boost::system::error_code{one, boost::system::system_category()}) return true;
    return false;
}

}  // namespace

server_core::server_core(http_settings settings, http_services services)
    : on{std::make_shared<api>(std::move(settings), std::move(services))},
      table{},
      counts{(add_routes(table, on), on->services.metrics), table, on->settings.access_log} {
    on->services.metrics.gauge_from(
        "flexcore_http_held_bytes",
        "Bytes of bodies and answers held for HTTP clients (http.held_bytes_max)", {},
        [held = on->held] { return static_cast<double>(held->now()); });
}

shard::shard(asio::io_context& context, std::shared_ptr<server_core> core)
    : context_{context},
      core_{std::move(core)},
      wheel_{monotonic::now()},
      ticker_{std::make_unique<asio::steady_timer>(context)},
      accept_pause_{std::make_unique<asio::steady_timer>(context)} {}

shard::~shard() = default;

// ---- the mailbox --------------------------------------------------------------------------------

void shard::put_mail(mail one) {
    bool summon = false;
    {
        const std::lock_guard lock{mutex_};
        if (closed_) return;
        box_.push_back(std::move(one));
        summon = !summoned_;
        summoned_ = true;
    }
    if (summon) asio::post(context_, [self = shared_from_this()] { self->read_mail(); });
}

void shard::post(runtime::task work) { put_mail({nullptr, std::move(work)}); }

void shard::post_answer(std::shared_ptr<exchange> done) { put_mail({std::move(done), {}}); }

bool shard::here() const noexcept { return context_.get_executor().running_in_this_thread(); }

void shard::read_mail() {
    {
        const std::lock_guard lock{mutex_};
        reading_.swap(box_);
        summoned_ = false;
    }
    for (mail& one : reading_) {
        if (one.work) {
            one.work();
        } else {
            one.done->ready = true;
            if (one.done->owner != nullptr) one.done->owner->answered(*one.done);
        }
    }
    reading_.clear();
    flush_dirty();
}

// ---- accepting ----------------------------------------------------------------------------------

void shard::listen(tcp::acceptor acceptor) {
    acceptor_ = std::make_unique<tcp::acceptor>(std::move(acceptor));
    accept_next();
}

void shard::accept_next() {
    accepting_ = true;
    acceptor_->async_accept(
        [self = shared_from_this()](boost::system::error_code bad, tcp::socket socket) {
            self->accepted(bad, std::move(socket));
        });
}

void shard::accepted(boost::system::error_code bad, tcp::socket socket) {
    accepting_ = false;
    // One that was accepted while the server began to stop is one more that was in the queue.
    if (!bad) take_connection(std::move(socket));
    flush_dirty();
    if (!acceptor_) {
        close_when_empty();
        return;
    }
    if (is_exhaustion(bad)) {
        core_->counts.accept_failures.add();
        telemetry::log(telemetry::level::error, "gateway", "cannot accept connections",
                       {{"cause", std::string_view{bad.message()}}});
        accept_pause_->expires_after(accept_pause);
        accept_pause_->async_wait([self = shared_from_this()](boost::system::error_code stopped) {
            if (!stopped && self->acceptor_) self->accept_next();
        });
        return;
    }
    accept_next();
}

void shard::take_connection(tcp::socket socket) {
    if (core_->connections.fetch_add(1, std::memory_order_relaxed) >=
        core_->on->settings.connections_max) {
        core_->connections.fetch_sub(1, std::memory_order_relaxed);
        refuse(std::move(socket));
        return;
    }
    core_->counts.connections.add(1);
    auto fresh = std::make_shared<connection>(shared_from_this(), std::move(socket));
    connections_.push_back(fresh);
    fresh->place = std::prev(connections_.end());
    if (!ticking_) {
        ticking_ = true;
        wheel_.advance(monotonic::now());
        tick();
    }
    fresh->start();
}

void shard::refuse(tcp::socket socket) {
    core_->counts.refused.add();
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    // What the client has sent is read away, or closing would reset the connection and might take
    // the answer with it.
    std::array<char, 4096> unread;
    socket.read_some(asio::buffer(unread), ignored);
    socket.write_some(asio::buffer(refusal(ids_.next(), date())), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void shard::stop_accepting() {
    if (!acceptor_) return;
    accept_pause_->cancel();
    boost::system::error_code bad;
    acceptor_->non_blocking(true, bad);
    for (;;) {
        tcp::socket socket{context_};
        acceptor_->accept(socket, bad);
        if (bad) break;
        take_connection(std::move(socket));
    }
    boost::system::error_code ignored;
    acceptor_->close(ignored);
    acceptor_.reset();
    flush_dirty();
}

// ---- connections --------------------------------------------------------------------------------

std::string_view shard::date() {
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    if (now != date_second_) {
        date_second_ = now;
        const std::time_t second = now;
        std::tm parts{};
        gmtime_r(&second, &parts);
        constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        date_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                            days[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                            months[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                            parts.tm_hour, parts.tm_min, parts.tm_sec);
    }
    return date_;
}

std::shared_ptr<exchange> shard::take_exchange(exchange_owner& owner) {
    if (spare_exchanges_.empty()) return std::make_shared<exchange>(shared_from_this(), &owner);
    std::shared_ptr<exchange> out = std::move(spare_exchanges_.back());
    spare_exchanges_.pop_back();
    out->reuse(&owner);
    return out;
}

void shard::give_back(std::shared_ptr<exchange> done) {
    done->owner = nullptr;
    // Somebody may still hold it, to look at the request; then it is theirs to end.
    if (done.use_count() != 1 || spare_exchanges_.size() >= spare_exchanges_max) return;
    done->reuse(nullptr);
    spare_exchanges_.push_back(std::move(done));
}

void shard::mark_dirty(connection& one) {
    if (one.dirty) return;
    one.dirty = true;
    dirty_.push_back(one.shared_from_this());
}

void shard::flush_dirty() {
    // Flushing may let a connection go on and mark others; so by index, to the end.
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        const std::shared_ptr<connection> one = dirty_[i];
        one->dirty = false;
        one->settle();
    }
    dirty_.clear();
}

void shard::forget(connection& one) {
    connections_.erase(one.place);
    core_->connections.fetch_sub(1, std::memory_order_relaxed);
    core_->counts.connections.add(-1);
    close_when_empty();
}

void shard::tick() {
    ticker_->expires_after(timer_wheel::tick);
    ticker_->async_wait([self = shared_from_this()](boost::system::error_code stopped) {
        if (stopped || !self->ticker_) return;
        self->wheel_.advance(monotonic::now());
        self->flush_dirty();
        if (self->connections_.empty() || !self->ticker_)
            self->ticking_ = false;
        else
            self->tick();
    });
}

// ---- the end ------------------------------------------------------------------------------------

void shard::finish() {
    finishing_ = true;
    // A connection may close, and leave the list, while it is told.
    const std::vector<std::shared_ptr<connection>> all{connections_.begin(), connections_.end()};
    for (const auto& one : all) one->stop_soon();
    flush_dirty();
    close_when_empty();
}

void shard::abort() {
    const std::vector<std::shared_ptr<connection>> all{connections_.begin(), connections_.end()};
    for (const auto& one : all) one->close();
}

void shard::close_when_empty() {
    if (!finishing_ || accepting_ || !connections_.empty() || !ticker_) return;
    std::vector<mail> undelivered;
    {
        const std::lock_guard lock{mutex_};
        closed_ = true;
        undelivered.swap(box_);
    }
    ticker_.reset();
    accept_pause_.reset();
    // They own this shard, and it them.
    spare_exchanges_.clear();
    const std::lock_guard lock{core_->mutex};
    --core_->shards_open;
    core_->changed.notify_all();
}

}  // namespace flexcore::gateway
