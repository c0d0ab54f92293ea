#include "gateway/ndjson.hpp"

#include "gateway/errc.hpp"
#include "gateway/problem.hpp"

#include <deque>

namespace flexcore::gateway {
namespace {

class line_session final : public stream_session,
                           public std::enable_shared_from_this<line_session> {
public:
    line_session(const ndjson_limits& limits, line_work work, std::shared_ptr<io_home> home)
        : limits_{limits}, work_{std::move(work)}, home_{std::move(home)} {}

    void start(stream_port& port) { port_ = &port; }

    void on_body(std::string_view piece) override {
        buffer_ += piece;
        advance();
    }
    void on_body_end() override {
        ended_ = true;
        advance();
    }
    [[nodiscard]] bool wants_body() const override { return !stalled_; }
    [[nodiscard]] std::size_t held() const override {
        return buffer_.size() + bytes_at_work_ + answer_bytes_;
    }
    [[nodiscard]] std::size_t unfinished() const override { return buffer_.size() - read_to_; }
    void on_writable() override { advance(); }
    void on_broken() override {
        broken_ = true;
        buffer_.clear();
        read_to_ = scanned_to_ = 0;
        settle();
    }
    void on_closed() override {
        port_ = nullptr;
        // What is at work goes on, and keeps this.
        if (limits_.held) kept_ = hold_at_work(limits_.held, held());
    }

private:
    struct slot {
        std::string text;
        std::size_t cost = 0;
        bool ready = false;
    };

    [[nodiscard]] bool has_room() {
        return lines_.size() < limits_.lines_at_work_max &&
               bytes_at_work_ < limits_.bytes_at_work_max && !port_->full(limits_.unsent_bytes_max);
    }

    /// Starts what can be started, sends what can be sent. Work may answer inside the call.
    void advance() {
        if (inside_ || port_ == nullptr) return;
        inside_ = true;
        bool room = false;
        do {
            send_ready();
            room = has_room();
        } while (room && begin_line());
        inside_ = false;
        buffer_.erase(0, read_to_);
        scanned_to_ -= read_to_;
        read_to_ = 0;
        const bool was_stalled = stalled_;
        stalled_ = !room;
        settle();
        if (was_stalled && !stalled_ && port_ != nullptr) port_->body_wanted();
    }

    /// False when there is no whole line.
    bool begin_line() {
        const std::size_t newline = buffer_.find('\n', scanned_to_);
        std::size_t end = newline;
        if (newline == buffer_.npos) {
            scanned_to_ = buffer_.size();
            if (!ended_ || broken_) {
                if (!skipping_ && scanned_to_ - read_to_ > limits_.line_bytes_max)
                    refuse_long_line();
                if (skipping_) read_to_ = scanned_to_;
                return false;
            }
            if (read_to_ == buffer_.size()) return false;
            end = buffer_.size();
        }
        std::string line = buffer_.substr(read_to_, end - read_to_);
        read_to_ = scanned_to_ = newline == buffer_.npos ? end : end + 1;
        if (skipping_) {
            skipping_ = newline == buffer_.npos;
            return true;
        }
        if (line.size() > limits_.line_bytes_max) {
            refuse_long_line();
            skipping_ = false;
            return true;
        }
        // An empty line is no value; there is nothing to answer.
        if (line.find_first_not_of(" \t\r") == line.npos) return true;

        lines_.emplace_back().cost = line.size();
        bytes_at_work_ += line.size();
        const std::uint64_t number = first_ + lines_.size() - 1;
        work_(std::move(line), [self = shared_from_this(), number](std::string text) mutable {
            io_home& home = *self->home_;
            if (home.here())
                self->answered(number, std::move(text));
            else
                home.post([self = std::move(self), number, text = std::move(text)]() mutable {
                    self->answered(number, std::move(text));
                });
        });
        return true;
    }

    void refuse_long_line() {
        slot& one = lines_.emplace_back();
        append_problem_item(
            one.text,
            error{make_error_code(gateway_errc::payload_too_large),
                  "The line is longer than " + std::to_string(limits_.line_bytes_max) + " bytes."});
        answer_bytes_ += one.text.size();
        one.ready = true;
        skipping_ = true;
    }

    void answered(std::uint64_t number, std::string text) {
        if (port_ == nullptr) return;
        slot& one = lines_[number - first_];
        one.text = std::move(text);
        answer_bytes_ += one.text.size();
        one.ready = true;
        advance();
    }

    void send_ready() {
        while (!lines_.empty() && lines_.front().ready && port_ != nullptr) {
            begin_answer();
            slot one = std::move(lines_.front());
            lines_.pop_front();
            ++first_;
            bytes_at_work_ -= one.cost;
            answer_bytes_ -= one.text.size();
            one.text += '\n';
            port_->write(one.text);
        }
    }

    void begin_answer() {
        if (begun_) return;
        begun_ = true;
        response head;
        head.content_type = ndjson_type;
        port_->begin(std::move(head));
    }

    /// Ends the answer when nothing is left to do.
    void settle() {
        if (port_ == nullptr || !lines_.empty()) return;
        if (broken_) {
            port_->abort();
        } else if (ended_ && read_to_ == buffer_.size()) {
            begin_answer();
            port_->finish();
        }
    }

    const ndjson_limits limits_;
    const line_work work_;
    const std::shared_ptr<io_home> home_;
    stream_port* port_ = nullptr;

    std::string buffer_;          ///< received and not yet begun
    std::size_t read_to_ = 0;     ///< where the next line begins
    std::size_t scanned_to_ = 0;  ///< no line break between read_to_ and here
    std::deque<slot> lines_;      ///< begun and not yet sent
    std::uint64_t first_ = 0;     ///< number of lines_.front()
    std::size_t bytes_at_work_ = 0;
    std::size_t answer_bytes_ = 0;      ///< of lines_: behind one that is still at work
    std::shared_ptr<const void> kept_;  ///< counts when the connection does no more
    bool ended_ = false, broken_ = false, begun_ = false;
    bool skipping_ = false;  ///< the rest of a line that is too long
    bool stalled_ = false, inside_ = false;
};

}  // namespace

void serve_lines(responder answer, const ndjson_limits& limits, line_work work) {
    auto session = std::make_shared<line_session>(limits, std::move(work), answer.shared_home());
    stream_port& port = answer.stream(session);
    session->start(port);
}

}  // namespace flexcore::gateway
