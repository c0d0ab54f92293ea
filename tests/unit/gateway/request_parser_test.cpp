#include "gateway/request_parser.hpp"

#include <catch2/catch.hpp>

#include <boost/system/error_code.hpp>

#include <string>
#include <vector>

namespace {

using namespace flexcore::gateway;

constexpr std::string_view chunked_head =
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

constexpr std::size_t framing_bytes_max = 16384;

/// A body as it arrives; what is not used comes again with what follows.
class arrival final : public body_taker {
public:
    arrival() : parser_{asked_, *this, framing_bytes_max} {
        boost::system::error_code bad;
        REQUIRE(parser_.feed(chunked_head, bad) == chunked_head.size());
        REQUIRE_FALSE(bad);
    }
    void take(std::string_view bytes) {
        held_ += bytes;
        for (;;) {
            boost::system::error_code bad;
            const std::size_t used = parser_.feed(held_, bad);
            held_.erase(0, used);
            // As a connection does: it waits for no longer header.
            const bool too_long =
                used == 0 && !parser_.is_done() && held_.size() >= framing_bytes_max;
            broken = broken || bad || too_long;
            if (broken || parser_.is_done() || used == 0 || held_.empty()) return;
        }
    }
    [[nodiscard]] bool done() const { return parser_.is_done(); }

    bool take_body(std::string_view bytes) override {
        body += bytes;
        return true;
    }
    bool begin_chunk(std::uint64_t) override { return true; }
    std::string body;
    bool broken = false;

private:
    request asked_;
    request_parser parser_;
    std::string held_;
};

}  // namespace

TEST_CASE("chunks: a body may be cut anywhere, also inside its last chunk") {
    for (const std::string text :
         {"0\r\n\r\n", "00;a=b\r\n\r\n", "0\r\nX: y\r\n\r\n", "1\r\nx\r\n0\r\n\r\n",
          "3\r\nabc\r\n1;q\r\nd\r\n0\r\nX: y\r\nZ: w\r\n\r\n"}) {
        INFO(text);
        arrival whole;
        whole.take(text);
        CHECK(whole.done());
        arrival bytewise;
        for (std::size_t i = 0; i < text.size(); ++i) {
            CHECK_FALSE(bytewise.done());
            bytewise.take(text.substr(i, 1));
        }
        CHECK(bytewise.done());
        CHECK(bytewise.body == whole.body);
        for (std::size_t first = 1; first < text.size(); ++first)
            for (std::size_t second = first; second < text.size(); ++second) {
                arrival cut;
                cut.take(text.substr(0, first));
                cut.take(text.substr(first, second - first));
                cut.take(text.substr(second));
                CHECK(cut.done());
                CHECK(cut.body == whole.body);
            }
    }
}

TEST_CASE("chunks: broken framing is refused, however it is cut") {
    for (const std::string text :
         {"xyz\r\n", "-1\r\nab", "1\r\nab\r\n0\r\n", "1 \r\na\r\n", "g\r\n\r\n", "\r\n0\r\n"}) {
        INFO(text);
        arrival whole;
        whole.take(text);
        CHECK(whole.broken);
        arrival bytewise;
        for (const char c : text) bytewise.take({&c, 1});
        CHECK(bytewise.broken);
    }
}

TEST_CASE("chunks: a header or last chunk is as long as it may be, whole or in pieces") {
    struct form {
        std::string before, after;
    };
    for (const form& one :
         {form{"1;", "\r\nx\r\n0\r\n\r\n"}, form{"0;", "\r\n\r\n"},
          form{"1\r\nx\r\n1;", "\r\ny\r\n0\r\n\r\n"}, form{"0\r\nX: ", "\r\n\r\n"}}) {
        INFO(one.before);
        bool accepted = false, refused = false;
        for (std::size_t length = framing_bytes_max - 30; length < framing_bytes_max + 10;
             ++length) {
            const std::string text = one.before + std::string(length, 'x') + one.after;
            arrival whole, pieces;
            whole.take(text);
            for (std::size_t i = 0; i < text.size() && !pieces.broken; i += 997)
                pieces.take(std::string_view{text}.substr(i, 997));
            CHECK(whole.broken == pieces.broken);
            CHECK(whole.done() == pieces.done());
            (whole.broken ? refused : accepted) = true;
        }
        CHECK(accepted);
        CHECK(refused);
    }
}
