#include "gateway/exchange.hpp"

#include "base/check.hpp"
#include "gateway/problem.hpp"

namespace flexcore::gateway {

exchange::exchange(std::shared_ptr<io_home> home, exchange_owner* of)
    : owner{of}, home_{std::move(home)} {}

void exchange::reuse(exchange_owner* of) {
    req.clear();
    owner = of;
    answer.reset();
    ready = looked_at = close = head_only = continue_due = false;
    session.reset();
    stream_head.reset();
    stream_text.clear();
    stream_started = stream_finished = stream_was_full = stream_cut = stream_raw = false;
    bytes_sent = 0;
}

void exchange::begin(response head) {
    FLEXCORE_CHECK(!stream_started && !stream_head);
    if (owner == nullptr) return;
    stream_raw = head.status == 101;
    stream_head = std::move(head);
    owner->stream_moved(*this);
}

void exchange::write(std::string_view text) {
    if (owner == nullptr || text.empty()) return;
    stream_text += text;
    owner->stream_moved(*this);
}

std::size_t exchange::unsent() const noexcept {
    return stream_text.size() + (owner == nullptr ? 0 : owner->unsent(*this));
}

bool exchange::full(std::size_t most) noexcept {
    if (unsent() < most) return false;
    stream_was_full = true;
    return true;
}

void exchange::body_wanted() {
    if (owner != nullptr) owner->body_wanted(*this);
}

void exchange::finish() {
    if (owner == nullptr || stream_finished) return;
    stream_finished = true;
    owner->stream_moved(*this);
}

void exchange::abort() {
    if (owner != nullptr) owner->abort_stream(*this);
}

responder::~responder() {
    if (!to_) return;
    (*this)(error{make_error_code(base_errc::internal), "The request got no answer.",
                  "a responder was destroyed without an answer"});
}

void responder::operator()(response answer) {
    FLEXCORE_CHECK(to_ != nullptr);
    std::shared_ptr<exchange> to = std::move(to_);
    to_ = nullptr;
    to->answer = std::move(answer);
    io_home& home = *to->home();
    if (!home.here()) {
        home.post_answer(std::move(to));
        return;
    }
    to->ready = true;
    if (to->owner != nullptr) to->owner->answered(*to);
}

void responder::operator()(const error& e) {
    FLEXCORE_CHECK(to_ != nullptr);
    (*this)(problem_response(e, to_->req));
}

stream_port& responder::stream(std::shared_ptr<stream_session> session) {
    FLEXCORE_CHECK(to_ != nullptr && to_->home()->here());
    std::shared_ptr<exchange> to = std::move(to_);
    to_ = nullptr;
    to->session = std::move(session);
    return *to;
}

}  // namespace flexcore::gateway
