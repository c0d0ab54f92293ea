// Input: from bytes to requests.
#include "gateway/connection.hpp"
#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"
#include "gateway/problem.hpp"
#include "gateway/shard.hpp"

#include <cstring>

namespace flexcore::gateway {
namespace {

constexpr std::size_t input_bytes_small = 4096;
constexpr std::size_t input_bytes_body = 64u << 10;
/// A declared length is not believed with memory beyond this.
constexpr std::size_t body_bytes_reserved_max = 64u << 10;
/// A body up to here is taken whatever else is held.
constexpr std::size_t body_bytes_small = 64u << 10;
/// Requests of one connection that wait for their answers beside each other. Each may be a page of
/// some megabytes that nobody counts before it is there.
constexpr std::size_t unanswered_max = 8;

bool is_safe(verb method) {
    return method == verb::get || method == verb::head || method == verb::options;
}

error too_large(std::size_t most) {
    return {make_error_code(gateway_errc::payload_too_large),
            "The body is larger than " + std::to_string(most) + " bytes."};
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

void connection::read_more() {
    if (reading_ || input_over_ || phase_ == phase::closed || phase_ == phase::ended) return;
    std::size_t size = input_bytes_small;
    if (phase_ == phase::body) {
        if (body_use_ == body_use::stream && current_->session && !current_->session->wants_body())
            return;
        size = input_bytes_body;
    } else if (phase_ == phase::linger) {
        in_begin_ = in_end_ = 0;
    } else if (!may_take_request()) {
        // Only to notice that the client goes away.
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
    else if (phase_ != phase::linger)
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
    if (*length == 0) return false;
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
    if (!refused && home_->core().on->held->full() && may_answer_much(fresh->req))
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

void connection::begin_body(const std::shared_ptr<exchange>& of, std::optional<response> refused) {
    const http_settings& limits = home_->core().on->settings;
    request& asked = of->req;
    const auto length = parser_->content_length();
    const bool too_long = length && *length > limits.body_bytes_max;
    bool waits = false;
    if (!asked.fields.expect.empty() && !asked.http10) {
        waits = same_ignoring_case(asked.fields.expect, "100-continue");
        if (!waits && !refused)
            refused = problem_response(error{make_error_code(gateway_errc::expectation_failed),
                                             "The only expectation known is 100-continue."},
                                       asked);
    }
    const bool streams = !refused && asked.ndjson;
    if (too_long && !streams && !refused)
        refused = problem_response(too_large(limits.body_bytes_max), asked);
    if (refused && (waits || too_long)) {
        answer_and_end(*of, std::move(*refused));
        return;
    }
    phase_ = phase::body;
    current_ = of;
    body_use_ = streams ? body_use::stream : refused ? body_use::discard : body_use::collect;
    refused_ = std::move(refused);
    body_fault_.reset();
    body_bytes_ = 0;
    body_began_ = last_input_ = now_;
    of->continue_due = waits;
    if (streams)
        dispatch(of);
    else if (!refused_ && length)
        asked.body.reserve(std::min<std::size_t>(*length, body_bytes_reserved_max));
}

bool connection::take_body_bytes() {
    if (body_use_ == body_use::stream && current_->session && !current_->session->wants_body())
        return false;
    if (input().empty()) return false;
    boost::system::error_code bad;
    const std::size_t used = parser_->feed(input(), bad);
    in_begin_ += used;
    if (used != 0) last_input_ = now_;
    // A session may have given up inside.
    if (phase_ != phase::body) return false;
    if (body_fault_) {
        body_broken(std::move(*body_fault_));
        return false;
    }
    if (bad) {
        home_->core().counts.bad_framing.add();
        body_broken({make_error_code(gateway_errc::bad_request),
                     "The body's chunked framing is broken.", bad.message()});
        return false;
    }
    if (parser_->is_done()) {
        end_body();
        return true;
    }
    if (used == 0 && input().size() >= home_->core().on->settings.header_bytes_max) {
        body_broken({make_error_code(gateway_errc::bad_request),
                     "A chunk's header or the trailer is too long."});
        return false;
    }
    return used != 0 && !input().empty();
}

bool connection::take_body(std::string_view bytes) {
    const std::size_t most = home_->core().on->settings.body_bytes_max;
    body_bytes_ += bytes.size();
    if (body_use_ == body_use::stream) {
        return !current_->session || give_body(*current_, bytes);
    }
    if (body_bytes_ > most) {
        body_fault_ = too_large(most);
        return false;
    }
    if (body_use_ == body_use::collect) {
        // What is small is gone again at once; what grows is what has to end.
        if (body_bytes_ > body_bytes_small && home_->core().on->held->full()) {
            body_fault_ = too_much_held();
            return false;
        }
        current_->req.body += bytes;
    }
    return true;
}

bool connection::give_body(exchange& to, std::string_view bytes) {
    const std::shared_ptr<stream_session> session = to.session;
    if (session->held() > body_bytes_small && home_->core().on->held->full()) {
        body_fault_ = too_much_held();
        return false;
    }
    const std::size_t before = session->unfinished();
    session->on_body(bytes);
    // Less than there would be had nothing become whole.
    if (before == 0 || session->unfinished() < before + bytes.size()) value_began_ = now_;
    return true;
}

bool connection::begin_chunk(std::uint64_t bytes) {
    const std::size_t most = home_->core().on->settings.body_bytes_max;
    if (body_use_ == body_use::stream || bytes <= most - body_bytes_) return true;
    body_fault_ = too_large(most);
    return false;
}

void connection::end_body() {
    parser_.reset();
    const std::shared_ptr<exchange> of = std::move(current_);
    current_ = nullptr;
    last_request_ = now_;
    of->continue_due = false;
    phase_ = of->close ? phase::ended : phase::head;
    switch (body_use_) {
        case body_use::collect:
            dispatch(of);
            break;
        case body_use::discard:
            of->answer = std::move(refused_);
            of->ready = true;
            refused_.reset();
            break;
        case body_use::stream:
            // From now on the client has nothing to do but to read.
            mark_output();
            if (of->session) of->session->on_body_end();
            break;
    }
}

void connection::body_broken(error fault) {
    parser_.reset();
    const std::shared_ptr<exchange> of = std::move(current_);
    current_ = nullptr;
    body_fault_ = std::move(fault);
    phase_ = phase::ended;
    unread_input_ = true;
    of->close = true;
    of->continue_due = false;
    if (body_use_ != body_use::stream)
        answer_and_end(*of, problem_response(*body_fault_, of->req));
    else if (of->session)
        of->session->on_broken();
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
            if (!line_.empty() && line_.back()->session &&
                line_.back()->session->ends_with_input()) {
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
        case phase::closed:
            return false;
    }
    return false;
}

}  // namespace flexcore::gateway
