// Input: from bytes to requests. Their bodies: connection_body.cpp.
#include "gateway/connection.hpp"
#include "gateway/errc.hpp"
#include "gateway/problem.hpp"
#include "gateway/shard.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace flexcore::gateway {
namespace {

constexpr std::uint64_t input_bytes_body = 64u << 10;
/// Requests of one connection that wait for their answers beside each other. Each may be a page of
/// some megabytes that nobody counts before it is there.
constexpr std::size_t unanswered_max = 8;

bool is_safe(verb method) {
    return method == verb::get || method == verb::head || method == verb::options;
}

}  // namespace

bool connection::may_take_request() const noexcept {
    const http_settings& limits = home_->core().on->settings;
    if (line_.size() >= limits.pipeline_max || out_.bytes() >= limits.output_bytes_max)
        return false;
    if (line_.empty()) return true;
    std::size_t unanswered = 0, bytes = out_.bytes();
    for (const auto& one : line_) {
        if (one->ready)
            bytes += one->answer->bytes().size();
        else
            ++unanswered;
    }
    if (unanswered >= unanswered_max || bytes >= limits.output_bytes_max) return false;
    // Only safe methods may be worked on beside a later request (RFC 9112, 9.3.2).
    const exchange& last = *line_.back();
    return !last.streaming() && (last.ready || is_safe(last.req.method));
}

std::size_t connection::read_bytes() const noexcept {
    if (phase_ != phase::body || home_->core().on->held->full()) return input_bytes_small;
    // Grows with what has come: a body that has only begun does not occupy more than it brought.
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(std::bit_floor(2 * body_bytes_),
                                                              input_bytes_small, input_bytes_body));
}

void connection::read_more() {
    if (reading_ || input_over_ || phase_ == phase::closed) return;
    if (phase_ == phase::ended && line_.empty()) return;
    std::size_t size = read_bytes();
    if (phase_ == phase::body) {
        if (body_use_ == body_use::stream && current_->session && !current_->session->wants_body())
            return;
    } else if (phase_ == phase::ended || phase_ == phase::linger) {
        // Only to notice that the client goes away.
        in_begin_ = in_end_ = 0;
    } else if (!may_take_request()) {
        // For the same; what comes is kept.
        if (in_end_ - in_begin_ >= input_bytes_small) return;
    }
    if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
    const std::size_t held = in_end_ - in_begin_;
    if (held >= size) size = 2 * held;  // a large head or trailer; who reads it knows the bound
    if (in_size_ < size || (held == 0 && in_size_ > size)) {
        auto bigger = std::make_unique_for_overwrite<char[]>(size);
        if (held != 0) std::memcpy(bigger.get(), in_.get() + in_begin_, held);
        in_ = std::move(bigger);
        in_size_ = size;
        in_begin_ = 0;
        in_end_ = held;
    } else if (in_begin_ != 0) {
        std::memmove(in_.get(), in_.get() + in_begin_, held);
        in_begin_ = 0;
        in_end_ = held;
    }
    reading_ = true;
    socket_.async_read_some(
        boost::asio::buffer(in_.get() + in_end_, in_size_ - in_end_),
        [self = shared_from_this()](boost::system::error_code bad, std::size_t count) {
            self->read_done(bad, count);
        });
}

void connection::read_done(boost::system::error_code bad, std::size_t count) {
    reading_ = false;
    if (phase_ == phase::closed) return;
    now_ = monotonic::now();
    if (bad && bad != boost::asio::error::eof) {
        close();
        return;
    }
    if (bad)
        input_over_ = true;
    else if (phase_ != phase::ended && phase_ != phase::linger)
        in_end_ += count;
    home_->mark_dirty(*this);
    home_->flush_dirty();
}

bool connection::take_input() {
    for (;;) {
        if (phase_ == phase::head) {
            if (!may_take_request()) return in_begin_ != in_end_;
            if (!take_head()) return false;
            // What is answered at once makes room at once.
            if (phase_ == phase::head) send_ready();
        } else if (phase_ == phase::body) {
            if (!take_body_bytes()) return false;
        } else {
            return phase_ == phase::tunnel && take_tunnel_bytes();
        }
    }
}

/// Never true: its session asks for more when there is room.
bool connection::take_tunnel_bytes() {
    const std::shared_ptr<stream_session> session = current_->session;
    if (input().empty() || !session || !session->wants_body()) return false;
    const std::string_view bytes = input();
    in_begin_ = in_end_;
    session->on_body(bytes);
    return false;
}

bool connection::take_head() {
    // Empty lines before a request line are left over from clumsy clients.
    while (input().starts_with("\r\n")) {
        in_begin_ += 2;
        head_begun_ = false;
    }
    if (input().empty()) return false;
    if (!head_begun_) {
        head_begun_ = true;
        head_began_ = now_;
    }
    if (input() == "\r") return false;
    const auto length = scanner_.scan(input());
    if (!length) {
        home_->core().counts.bad_framing.add();
        refuse(length.error());
        return false;
    }
    if (*length == 0) {
        if (input().size() >= input_bytes_small && home_->core().on->held->full())
            refuse(too_much_held());
        return false;
    }
    begin_request(input().substr(0, *length));
    return true;
}

void connection::begin_request(std::string_view head) {
    const http_settings& limits = home_->core().on->settings;
    auto fresh = home_->take_exchange(*this);
    fresh->req.received = last_request_ = now_;
    auto ok = check_head(head);
    if (ok) {
        parser_.emplace(fresh->req, static_cast<body_taker&>(*this), limits.header_bytes_max);
        boost::system::error_code bad;
        const std::size_t used = parser_->feed(head, bad);
        if (bad || used != head.size() || !parser_->is_header_done())
            ok = fail(gateway_errc::bad_request, "The request's head is malformed.", bad.message());
    }
    if (!ok) {
        parser_.reset();
        home_->core().counts.bad_framing.add();
        refuse(ok.error());
        return;
    }
    in_begin_ += head.size();
    head_begun_ = false;
    scanner_.reset();

    fresh->head_only = fresh->req.method == verb::head;
    fresh->close = !parser_->keep_alive();
    line_.push_back(fresh);
    const bool has_body = !parser_->is_done();
    auto refused = admit(fresh->req, has_body, home_->core().table, home_->targets(), home_->ids(),
                         home_->core().on->origins);
    if (!refused && may_have_no_more() && may_answer_much(fresh->req))
        refused = problem_response(too_much_held(), fresh->req);
    if (has_body) {
        begin_body(fresh, std::move(refused));
        return;
    }
    parser_.reset();
    if (fresh->close) phase_ = phase::ended;
    if (!refused) {
        dispatch(fresh);
        // A bulk body may be empty; then it is over before it began.
        if (fresh->req.ndjson && fresh->session) fresh->session->on_body_end();
        if (fresh->stream_raw) {
            phase_ = phase::tunnel;
            current_ = fresh;
        }
        // It has come too late to be told with the others.
        if (fresh->session && home_->finishing()) fresh->session->on_stopping();
    } else {
        fresh->answer = std::move(refused);
        fresh->ready = true;
    }
}

void connection::dispatch(const std::shared_ptr<exchange>& of) {
    of->req.at->to->handler(of->req, responder{of});
}

void connection::refuse(const error& fault) {
    auto fresh = home_->take_exchange(*this);
    fresh->req.received = now_;
    fresh->req.who.request_id = home_->ids().next();
    line_.push_back(fresh);
    answer_and_end(*fresh, problem_response(fault, fresh->req));
}

void connection::answer_and_end(exchange& of, response answer) {
    of.answer = std::move(answer);
    of.ready = of.close = true;
    parser_.reset();
    current_.reset();
    phase_ = phase::ended;
    unread_input_ = true;
    head_begun_ = false;
}

bool connection::input_ended() {
    const error cut{make_error_code(gateway_errc::bad_request),
                    "The connection ended inside the request."};
    const bool followed =
        !line_.empty() && line_.back()->session && line_.back()->session->ends_with_input();
    switch (phase_) {
        case phase::linger:
            close();
            return false;
        case phase::body:
            // A session with enough to do takes the rest later.
            if (body_use_ == body_use::stream && current_->session &&
                !current_->session->wants_body())
                return false;
            body_broken(cut);
            return true;
        case phase::head:
            if (followed) {
                close();
                return false;
            }
            // Whole requests that wait for room are answered; half a one is not.
            if (!may_take_request()) return false;
            if (in_begin_ != in_end_)
                refuse(cut);
            else
                end_after_output();
            return true;
        case phase::tunnel:
            close();
            return false;
        case phase::ended:
            if (followed) close();
            return false;
        case phase::closed:
            return false;
    }
    return false;
}

}  // namespace flexcore::gateway
