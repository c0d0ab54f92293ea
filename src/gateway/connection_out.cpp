// Output: from answers to bytes.
#include "gateway/connection.hpp"
#include "gateway/cors.hpp"
#include "gateway/shard.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <boost/asio/buffer.hpp>

#include <array>
#include <charconv>

namespace flexcore::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::size_t pieces_per_write = 16;
/// A session that was told "full" goes on when no more than this is unsent.
constexpr std::size_t writable_bytes = 64u << 10;
/// How long a client that is known to be still sending gets to see its answer; a server that stops
/// does not wait for it so long.
constexpr monotonic::duration linger_max = std::chrono::seconds{5};

}  // namespace

void connection::send_ready() {
    while (!line_.empty() && phase_ != phase::closed) {
        exchange& first = *line_.front();
        if (first.continue_due && &first == current_.get() && !first.ready) {
            first.continue_due = false;
            // Who sends the body unasked needs no invitation.
            if (input().empty()) out_.append(std::string_view{"HTTP/1.1 100 Continue\r\n\r\n"});
        }
        if (first.streaming()) {
            send_stream(first);
            if (!first.stream_finished) return;
            pop_front(first.stream_raw ? 101 : 200);
        } else if (first.ready) {
            send_answer(first);
            pop_front(first.answer->status);
        } else {
            return;
        }
    }
}

void connection::send_answer(exchange& of) {
    response& answer = *of.answer;
    const bool last =
        home_->finishing() && line_.size() == 1 && phase_ == phase::head && input().empty();
    of.close = of.close || answer.close || last;
    if (const origin_list& allowed = home_->core().on->origins; !allowed.empty())
        add_cors(answer, of.req, allowed);
    std::string& text = out_.tail();
    const std::size_t before = text.size();
    append_head(text, answer,
                {.request_id = of.req.who.request_id,
                 .date = home_->date(),
                 .http10 = of.req.http10,
                 .close = of.close,
                 .until_close = answer.flows});
    out_.grown(text.size() - before);
    of.bytes_sent = text.size() - before;
    if (of.head_only || answer.status == 204 || answer.status == 304) return;
    of.bytes_sent += answer.bytes().size();
    if (answer.owner)
        out_.append(std::move(answer.owner), answer.shared);
    else
        out_.append(std::move(answer.body));
}

void connection::send_stream(exchange& of) {
    if (!of.stream_started) {
        if (!of.stream_head) return;
        of.stream_started = true;
        if (const origin_list& allowed = home_->core().on->origins; !allowed.empty())
            add_cors(*of.stream_head, of.req, allowed);
        // HTTP/1.0 knows no chunks: the answer ends with the connection.
        if (of.req.http10) of.close = true;
        const bool chunked = !of.req.http10 && !of.stream_raw;
        std::string& text = out_.tail();
        const std::size_t before = text.size();
        append_head(text, *of.stream_head,
                    {.request_id = of.req.who.request_id,
                     .date = home_->date(),
                     .http10 = of.req.http10,
                     // It has a Connection field of its own, and is no connection of requests.
                     .close = of.close && !of.stream_raw,
                     .chunked = chunked,
                     .until_close = !chunked});
        if (of.stream_raw) of.close = true;
        out_.grown(text.size() - before);
        of.bytes_sent = text.size() - before;
    }
    if (!of.stream_text.empty()) {
        of.bytes_sent += of.stream_text.size();
        const bool chunked = !of.req.http10 && !of.stream_raw;
        if (chunked) {
            char size[18];
            char* end = std::to_chars(size, size + 16, of.stream_text.size(), 16).ptr;
            *end++ = '\r';
            *end++ = '\n';
            out_.append(std::string_view{size, static_cast<std::size_t>(end - size)});
        }
        out_.append(std::move(of.stream_text));
        of.stream_text.clear();
        if (chunked) out_.append(std::string_view{"\r\n"});
    }
    if (of.stream_finished && !of.stream_cut && !of.req.http10 && !of.stream_raw)
        out_.append(std::string_view{"0\r\n\r\n"});
}

void connection::pop_front(int status) {
    std::shared_ptr<exchange> done = std::move(line_.front());
    line_.pop_front();
    home_->core().counts.answered(*done, status);
    last_request_ = now_;
    if (done == current_) current_.reset();  // it had the connection
    if (done->session) {
        done->session->on_closed();
        done->session.reset();
    }
    if (done->close) end_after_output();
    home_->give_back(std::move(done));
}

void connection::end_after_output() {
    phase_ = phase::ended;
    // When answers are still owed they come first; the last of them ends the connection.
    if (!line_.empty()) {
        line_.back()->close = true;
        return;
    }
    close_after_output_ = true;
}

void connection::flush() {
    if (writing_ || phase_ == phase::closed || phase_ == phase::linger) return;
    while (!out_.empty()) {
        std::array<std::string_view, pieces_per_write> pieces;
        std::array<asio::const_buffer, pieces_per_write> buffers;
        const std::size_t count = out_.gather(pieces);
        for (std::size_t i = 0; i < count; ++i)
            buffers[i] = asio::const_buffer{pieces[i].data(), pieces[i].size()};
        boost::system::error_code bad;
        const std::size_t sent = count == 1 ? socket_.write_some(asio::buffer(buffers[0]), bad)
                                            : socket_.write_some(buffers, bad);
        if (bad == asio::error::would_block) {
            writing_ = true;
            socket_.async_wait(tcp::socket::wait_write,
                               [self = shared_from_this()](boost::system::error_code stopped) {
                                   self->written(stopped);
                               });
            break;
        }
        if (bad) {
            close();
            return;
        }
        out_.consume(sent);
        bytes_sent_ += sent;
    }
    const bool stuck = !out_.empty();
    if (stuck && !output_stuck_) mark_output();
    output_stuck_ = stuck;
    progress_of_output();
    if (out_.empty() && close_after_output_) begin_linger();
}

void connection::written(boost::system::error_code bad) {
    writing_ = false;
    if (phase_ == phase::closed) return;
    if (bad) {
        close();
        return;
    }
    home_->mark_dirty(*this);
    home_->flush_dirty();
}

void connection::progress_of_output() {
    if (line_.empty() || out_.bytes() > writable_bytes) return;
    exchange& first = *line_.front();
    if (!first.stream_was_full || !first.session) return;
    first.stream_was_full = false;
    first.session->on_writable();
}

void connection::mark_output() noexcept {
    output_marked_ = now_;
    bytes_taken_marked_ = bytes_taken();
}

std::uint64_t connection::bytes_taken() noexcept {
    int unacknowledged = 0;
    if (::ioctl(socket_.native_handle(), SIOCOUTQ, &unacknowledged) != 0) return bytes_sent_;
    return bytes_sent_ - std::min(bytes_sent_, static_cast<std::uint64_t>(unacknowledged));
}

void connection::begin_linger() {
    boost::system::error_code bad;
    socket_.shutdown(tcp::socket::shutdown_send, bad);
    if (bad || input_over_) {
        close();
        return;
    }
    phase_ = phase::linger;
    mark_output();
    linger_until_ = now_ + (unread_input_ && !home_->finishing() ? linger_max : linger_step);
}

}  // namespace flexcore::gateway
