// Bulk bodies: the same bytes in any pieces are the same lines with the same answers.
#include "gateway/ndjson.hpp"

#include "fuzz/target.hpp"

#include <string>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using fuzz::require;

constexpr std::size_t line_bytes_max = 40;

/// An io thread that is this one.
class one_thread final : public io_home {
public:
    void post(runtime::task work) override { work(); }
    void post_answer(std::shared_ptr<exchange>) override {}
    [[nodiscard]] bool here() const noexcept override { return true; }
    [[nodiscard]] timer_wheel& timers() noexcept override { return wheel_; }

private:
    timer_wheel wheel_{monotonic::time_point{}};
};

class connection final : public exchange_owner {
public:
    void answered(exchange&) override {}
    void stream_moved(exchange& of) override {
        text += of.stream_text;
        of.stream_text.clear();
        finished = of.stream_finished;
    }
    void body_wanted(exchange&) override {}
    void abort_stream(exchange&) override {}
    [[nodiscard]] std::size_t unsent(const exchange&) const noexcept override { return 0; }
    std::string text;
    bool finished = false;
};

std::string answers(std::string_view body, std::size_t piece_max) {
    connection owner;
    const auto to = std::make_shared<exchange>(std::make_shared<one_thread>(), &owner);
    std::string lines;
    serve_lines(responder{to}, {.line_bytes_max = line_bytes_max, .unsent_bytes_max = 1 << 20},
                [&](std::string line, line_answer answer) {
                    require(line.size() <= line_bytes_max, "a line within its bound");
                    require(line.find('\n') == line.npos, "a line without a line break");
                    lines += line + '\n';
                    answer("ok");
                });
    if (piece_max == 0) {
        to->session->on_body(body);
    } else {
        for (const auto piece : fuzz::pieces_of(body, piece_max)) to->session->on_body(piece);
    }
    to->session->on_body_end();
    require(owner.finished, "a body that ends is answered whole");
    return lines + owner.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = fuzz::text_of(data, size);
    const std::string whole = answers(text, 0);
    require(answers(text, 1) == whole, "byte by byte gives the same answers");
    require(answers(text, 30) == whole, "any pieces give the same answers");
    return 0;
}
