#include "gateway/ndjson.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <vector>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

/// An io thread that is this one; nothing is on its way between threads.
class fake_home final : public io_home {
public:
    void post(runtime::task work) override { work(); }
    void post_answer(std::shared_ptr<exchange>) override {}
    [[nodiscard]] bool here() const noexcept override { return true; }
    [[nodiscard]] timer_wheel& timers() noexcept override { return wheel_; }

private:
    timer_wheel wheel_{monotonic::now()};
};

/// A connection that keeps what is written and says itself how much is unsent.
class fake_owner final : public exchange_owner {
public:
    void answered(exchange&) override {}
    void stream_moved(exchange& of) override {
        text += of.stream_text;
        of.stream_text.clear();
        finished = of.stream_finished;
    }
    void body_wanted(exchange&) override { ++wanted; }
    void abort_stream(exchange&) override { aborted = true; }
    [[nodiscard]] std::size_t unsent(const exchange&) const noexcept override { return backlog; }
    std::string text;
    std::size_t backlog = 0;
    int wanted = 0;
    bool finished = false, aborted = false;
};

struct bench {
    explicit bench(ndjson_limits limits = {.line_bytes_max = 20, .unsent_bytes_max = 1000}) {
        serve_lines(responder{to}, limits, [this](std::string line, line_answer answer) {
            begun.push_back(line);
            if (at_once)
                answer("ok:" + line);
            else
                open.emplace_back(std::move(line), std::move(answer));
        });
    }
    void answer(std::size_t i) {
        auto [line, done] = std::move(open[i]);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
        done("ok:" + line);
    }
    stream_session& session() { return *to->session; }

    bool at_once = true;
    fake_owner owner;
    std::shared_ptr<exchange> to =
        std::make_shared<exchange>(std::make_shared<fake_home>(), &owner);
    std::vector<std::string> begun;
    std::deque<std::pair<std::string, line_answer>> open;
};

using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("ndjson: lines are begun as they arrive, wherever the pieces are cut") {
    const std::string body = "one\ntwo\r\n\n  \nthree";
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
        bench b;
        b.session().on_body(body.substr(0, cut));
        if (cut == 4) CHECK(b.begun == texts{"one"});
        b.session().on_body(body.substr(cut));
        CHECK(b.begun == texts{"one", "two\r"});
        CHECK_FALSE(b.owner.finished);
        b.session().on_body_end();
        CHECK(b.begun == texts{"one", "two\r", "three"});
        CHECK(b.owner.text == "ok:one\nok:two\r\nok:three\n");
        CHECK(b.owner.finished);
    }
}

TEST_CASE("ndjson: answers are in the order of their lines, whatever order they come in") {
    bench b;
    b.at_once = false;
    b.session().on_body("a\nb\nc\n");
    b.session().on_body_end();
    REQUIRE(b.open.size() == 3);
    b.answer(2);
    CHECK(b.owner.text.empty());
    b.answer(0);
    CHECK(b.owner.text == "ok:a\n");
    CHECK_FALSE(b.owner.finished);
    b.answer(0);
    CHECK(b.owner.text == "ok:a\nok:b\nok:c\n");
    CHECK(b.owner.finished);
}

TEST_CASE("ndjson: an empty body is an empty answer") {
    bench b;
    b.session().on_body_end();
    CHECK(b.owner.text.empty());
    CHECK(b.owner.finished);
}

TEST_CASE("ndjson: a line beyond the limit is answered in its place and the rest goes on") {
    for (const std::size_t piece : {1U, 7U, 1000U}) {
        bench b;
        const std::string body = "a\n" + std::string(50, 'x') + "\nb\n" + std::string(50, 'y');
        for (std::size_t i = 0; i < body.size(); i += piece)
            b.session().on_body(body.substr(i, piece));
        b.session().on_body_end();
        CHECK(b.begun == texts{"a", "b"});
        const std::string& out = b.owner.text;
        CHECK(out.starts_with("ok:a\n{\"status\":413,\"code\":\"payload_too_large\""));
        CHECK(out.find("}\nok:b\n{\"status\":413") != out.npos);
        CHECK(std::count(out.begin(), out.end(), '\n') == 4);
        CHECK(b.owner.finished);
    }
}

TEST_CASE("ndjson: reading stops at the bounds and goes on below them") {
    SECTION("lines at work") {
        bench b{{.line_bytes_max = 20, .unsent_bytes_max = 1000, .lines_at_work_max = 2}};
        b.at_once = false;
        b.session().on_body("a\nb\nc\nd\n");
        CHECK(b.begun == texts{"a", "b"});
        CHECK_FALSE(b.session().wants_body());
        b.answer(1);
        CHECK(b.begun.size() == 2);
        b.answer(0);
        CHECK(b.begun == texts{"a", "b", "c", "d"});
        b.answer(0);
        CHECK(b.session().wants_body());
        CHECK(b.owner.wanted > 0);
    }
    SECTION("bytes at work") {
        bench b{{.line_bytes_max = 20, .unsent_bytes_max = 1000, .bytes_at_work_max = 10}};
        b.at_once = false;
        b.session().on_body("0123456789\nx\n");
        CHECK(b.begun.size() == 1);
        b.answer(0);
        CHECK(b.begun.size() == 2);
    }
    SECTION("unsent answers") {
        bench b;
        b.owner.backlog = 1000;
        b.session().on_body("a\n");
        CHECK(b.begun.empty());
        CHECK_FALSE(b.session().wants_body());
        b.session().on_body_end();
        CHECK_FALSE(b.owner.finished);
        b.owner.backlog = 0;
        b.session().on_writable();
        CHECK(b.owner.text == "ok:a\n");
        CHECK(b.owner.finished);
    }
}

TEST_CASE("ndjson: a broken body ends after the lines at work, without the rest") {
    bench b;
    b.at_once = false;
    b.session().on_body("a\nb\nhalf");
    b.session().on_broken();
    CHECK_FALSE(b.owner.aborted);
    b.answer(0);
    b.answer(0);
    CHECK(b.owner.text == "ok:a\nok:b\n");
    CHECK(b.owner.aborted);
    CHECK_FALSE(b.owner.finished);
    CHECK(b.begun == texts{"a", "b"});
}

TEST_CASE("ndjson: answers for a connection that is gone are dropped") {
    bench b;
    b.at_once = false;
    b.session().on_body("a\n");
    b.to->owner = nullptr;
    b.session().on_closed();
    b.answer(0);
    CHECK(b.owner.text.empty());
}
