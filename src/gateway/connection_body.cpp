// Input: the body of a request, collected whole or given to a session as it comes.
#include "gateway/connection.hpp"
#include "gateway/errc.hpp"
#include "gateway/header_values.hpp"
#include "gateway/problem.hpp"
#include "gateway/shard.hpp"

namespace flexcore::gateway {
namespace {

/// A body, or what of a bulk body is no whole line yet, up to here is taken whatever else is held:
/// all connections may come with one. A declared length is not believed with memory beyond this.
constexpr std::size_t body_bytes_small = 16u << 10;
/// A bulk body that holds no more than this, lines at work and answers included, goes on.
constexpr std::size_t bulk_bytes_small = 64u << 10;

error too_large(std::size_t most) {
    return {make_error_code(gateway_errc::payload_too_large),
            "The body is larger than " + std::to_string(most) + " bytes."};
}

}  // namespace

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
        asked.body.reserve(std::min<std::size_t>(*length, body_bytes_small));
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
        home_->core().counts.bad_framing.add();
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
    if ((session->unfinished() > body_bytes_small || session->held() > bulk_bytes_small) &&
        home_->core().on->held->full()) {
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

}  // namespace flexcore::gateway
