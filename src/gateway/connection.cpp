#include "gateway/connection.hpp"

#include "gateway/coding.hpp"
#include "gateway/errc.hpp"
#include "gateway/problem.hpp"
#include "gateway/shard.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace flexcore::gateway {
namespace {

using boost::asio::ip::tcp;

/// How long a connection without a running request is kept when the server stops: a request may be
/// on its way.
constexpr monotonic::duration stop_grace = std::chrono::milliseconds{200};
/// A body that is gathered must arrive, and an answer be taken, at this rate on the whole, or one
/// byte now and then would hold its memory for ever.
constexpr std::chrono::microseconds time_per_byte{1000};
constexpr int body_timeouts_free = 2;
/// When all is held that may be, who holds more than this part of it has to be this much faster.
constexpr int hog_part = 256;
/// A larger answer is compressed on a worker: others of the thread would wait a millisecond.
constexpr std::size_t compressed_here_bytes_max = 64u << 10;
/// Answered by nobody: the client had gone. As others log it.
constexpr int status_of_gone = 499;

}  // namespace

connection::connection(std::shared_ptr<shard> home, tcp::socket socket)
    : home_{std::move(home)},
      socket_{std::move(socket)},
      scanner_{home_->core().on->settings.header_bytes_max} {}

connection::~connection() = default;

void connection::start() {
    boost::system::error_code bad;
    socket_.non_blocking(true, bad);
    if (!bad) socket_.set_option(tcp::no_delay{true}, bad);
    now_ = last_request_ = last_input_ = output_marked_ = monotonic::now();
    if (home_->finishing()) stop_by_ = now_ + stop_grace;
    home_->mark_dirty(*this);
}

void connection::settle() {
    if (phase_ == phase::closed) return;
    const auto self = shared_from_this();
    now_ = monotonic::now();
    for (;;) {
        const bool waits_for_room = take_input();
        send_ready();
        flush();
        if (phase_ == phase::closed) return;
        if (waits_for_room && phase_ == phase::head && may_take_request()) continue;
        if (!input_over_ || !input_ended()) break;
    }
    if (phase_ == phase::closed) return;
    read_more();
    count_held();
    home_->timers().set(*this, deadline_now());
}

void connection::count_held() noexcept {
    std::size_t bytes = out_.held() + (in_size_ > input_bytes_small ? in_size_ : 0);
    for (const auto& one : line_) {
        if (one->ready && !one->answer->counted) bytes += one->answer->bytes().size();
        bytes += one->req.body.size() + one->stream_text.size();
        if (one->session) bytes += one->session->held();
    }
    home_->core().on->held->change(held_, bytes);
    held_ = bytes;
}

void connection::stop_soon() {
    if (phase_ == phase::closed) return;
    const deadline now = monotonic::now();
    stop_by_ = now + stop_grace;
    if (phase_ == phase::linger) linger_until_ = std::min(linger_until_, now + linger_step);
    // A session may end at once and change the line.
    const std::vector<std::shared_ptr<exchange>> line{line_.begin(), line_.end()};
    for (const auto& one : line)
        if (one->session) one->session->on_stopping();
    home_->mark_dirty(*this);
}

void connection::close() {
    if (phase_ == phase::closed) return;
    const auto self = shared_from_this();
    phase_ = phase::closed;
    home_->timers().set(*this, no_deadline);
    boost::system::error_code ignored;
    socket_.close(ignored);
    current_.reset();
    parser_.reset();
    std::deque<std::shared_ptr<exchange>> line;
    line.swap(line_);
    for (const auto& one : line) {
        one->owner = nullptr;
        const int begun = one->stream_raw ? 101 : 200;
        home_->core().counts.answered(*one, one->stream_started ? begun : status_of_gone);
        if (!one->session) continue;
        one->session->on_closed();
        one->session.reset();
    }
    out_.clear();
    home_->core().on->held->change(std::exchange(held_, 0), 0);
    home_->forget(*this);
}

bool connection::idle() const noexcept {
    return phase_ == phase::head && line_.empty() && out_.empty() && !head_begun_;
}

deadline connection::deadline_now() const noexcept {
    const http_settings& limits = home_->core().on->settings;
    if (phase_ == phase::linger) return linger_until_;
    deadline out = output_deadline();
    const bool bulk = takes_bulk_body();
    if (phase_ == phase::body && (!bulk || !current_->session || current_->session->wants_body())) {
        out = std::min(out, last_input_ + limits.body_timeout);
        const std::uint64_t begun = !bulk               ? body_bytes_
                                    : current_->session ? current_->session->unfinished()
                                                        : 0;
        if (!bulk || begun != 0)
            out = std::min(out, (bulk ? value_began_ : body_began_) +
                                    body_timeouts_free * limits.body_timeout + time_for(begun));
    }
    if (phase_ == phase::head && head_begun_ && may_take_request())
        out = std::min({out, head_began_ + limits.header_timeout, stop_by_});
    if (idle()) out = std::min({out, last_request_ + limits.idle_timeout, stop_by_});
    return out;
}

bool connection::takes_bulk_body() const noexcept {
    return phase_ == phase::body && body_use_ == body_use::stream;
}

deadline connection::output_deadline() const noexcept {
    if (!output_stuck_) return no_deadline;
    // While a bulk body still flows in, a client that has not begun to read is not slow.
    return (takes_bulk_body() ? std::max(output_marked_, last_input_) : output_marked_) +
           home_->core().on->settings.write_timeout;
}

bool connection::client_takes(monotonic::duration since) noexcept {
    const auto taken = static_cast<monotonic::rep>(bytes_taken() - bytes_taken_marked_);
    return taken >= since / time_for(1);
}

bool connection::hogs() const noexcept {
    const held_bytes& all = *home_->core().on->held;
    return all.full() && held_ > all.most() / hog_part;
}

bool connection::is_too_much(const response& answer) const noexcept {
    const std::size_t bytes = answer.bytes().size();
    return bytes > small_answer_bytes_max &&
           home_->core().on->held->full_beside(answer.counted ? bytes : 0);
}

bool connection::may_have_no_more() const noexcept {
    const held_bytes& all = *home_->core().on->held;
    // `held_` is as of the last visit; what this one has queued since is in the output.
    return all.spent() || (all.full() && std::max(held_, out_.held()) > small_answer_bytes_max);
}

monotonic::duration connection::time_for(std::uint64_t bytes) const noexcept {
    const monotonic::duration one = time_per_byte;
    return static_cast<monotonic::rep>(bytes) * (hogs() ? one / hog_part : one);
}

void connection::expired() {
    const auto self = shared_from_this();
    now_ = monotonic::now();
    const http_settings& limits = home_->core().on->settings;
    // The socket becomes writable only when much of what the kernel holds has left, so a client
    // that takes it slowly is told by what it has acknowledged.
    if (phase_ == phase::linger && client_takes(linger_step)) {
        mark_output();
        linger_until_ = now_ + linger_step;
    } else if (output_deadline() <= now_ && client_takes(limits.write_timeout)) {
        mark_output();
    }
    if (deadline_now() > now_) {
        home_->timers().set(*this, deadline_now());
        return;
    }
    const error slow{make_error_code(gateway_errc::request_timeout),
                     "The request did not arrive in time."};
    if (phase_ == phase::linger || idle()) {
        close();
        return;
    }
    home_->core().counts.timeouts.add();
    if (phase_ == phase::head && head_begun_ && head_began_ + limits.header_timeout <= now_)
        refuse(slow);
    else if (phase_ == phase::body && output_deadline() > now_)
        body_broken(slow);
    else
        close();
    if (phase_ != phase::closed) home_->mark_dirty(*this);
}

// ---- what an exchange tells its connection ------------------------------------------------------

void connection::answered(exchange& of) {
    if (of.answer && !of.looked_at && is_too_much(*of.answer) && may_answer_much(of.req))
        of.answer = problem_response(too_much_held(), of.req);
    if (!of.looked_at) compress(of);
    home_->mark_dirty(*this);
}

void connection::compress(exchange& of) {
    of.looked_at = true;
    const std::shared_ptr<api>& on = home_->core().on;
    if (!may_be_coded(*of.answer, on->settings.compression_bytes_min)) return;
    add_vary(*of.answer);
    const content_coding coding = choose_coding(of.req.fields.accept_encoding);
    if (coding == content_coding::identity) return;
    if (of.answer->bytes().size() <= compressed_here_bytes_max) {
        encode(*of.answer, coding);
        return;
    }
    places::held taken = on->reads_waiting.take();
    if (!taken) return;  // better long than late
    of.ready = false;
    on->services.workers.post(
        [taken = std::move(taken), coding, one = of.shared_from_this()]() mutable {
            encode(*one->answer, coding);
            taken = places::held{};
            io_home& home = *one->home();
            home.post_answer(std::move(one));
        });
}

void connection::stream_moved(exchange&) { home_->mark_dirty(*this); }

void connection::body_wanted(exchange&) {
    // It was not the client who let the time go by.
    last_input_ = value_began_ = monotonic::now();
    home_->mark_dirty(*this);
}

std::size_t connection::unsent(const exchange& of) const noexcept {
    return !line_.empty() && line_.front().get() == &of ? out_.bytes() : 0;
}

void connection::abort_stream(exchange& of) {
    home_->mark_dirty(*this);
    if (!of.stream_started && !of.stream_head && body_fault_) {
        // Nothing has been said yet, so the fault can be told.
        of.session.reset();
        answer_and_end(of, problem_response(*body_fault_, of.req));
        return;
    }
    of.stream_cut = of.stream_finished = of.close = true;
    phase_ = phase::ended;
    unread_input_ = true;
}

}  // namespace flexcore::gateway
