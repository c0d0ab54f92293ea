#include "cli/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <fmt/format.h>

#include <array>
#include <functional>
#include <utility>

namespace flexcore::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast_error = boost::beast::error_code;
using handler = std::function<void(beast_error, std::size_t)>;

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "cli"; }
    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<cli_errc>(code)) {
            case cli_errc::unreachable:
                return "the server cannot be reached";
            case cli_errc::broken:
                return "the connection broke";
            case cli_errc::timeout:
                return "the server did not answer in time";
            case cli_errc::bad_answer:
                return "the answer is not understood";
            case cli_errc::refused:
                return "the server refused";
            case cli_errc::bad_input:
                return "the input cannot be used";
        }
        return "unknown";
    }
};

constexpr std::size_t part_bytes = 64u << 10;
constexpr std::size_t chunked_body_bytes_min = std::string_view{"0\r\n\r\n"}.size();

}  // namespace

std::error_code make_error_code(cli_errc code) noexcept {
    static const category instance;
    return {static_cast<int>(code), instance};
}

std::string_view name_of(const std::error_code& code) noexcept {
    if (code == cli_errc::unreachable) return "unreachable";
    if (code == cli_errc::broken) return "connection_lost";
    if (code == cli_errc::timeout) return "timeout";
    if (code == cli_errc::bad_answer) return "bad_answer";
    if (code == cli_errc::refused) return "refused";
    return "failed";
}

struct http_client::state {
    url where;
    timeouts bounds;
    asio::io_context context{1};
    std::optional<beast::tcp_stream> stream;
    beast::flat_buffer in;
    bool used = false;  // the connection has carried a complete exchange before
    /// Takes bytes as they come. Fed by hand: Beast's own reading operations would make this the
    /// file that compiles longest, and `feed` has to look at the bytes first.
    std::optional<http::response_parser<http::string_body>> answer;
    bool chunk_seen = false;
    bool endless = false;  // `answer` is what `open` began

    /// Runs one asynchronous operation to its end, within its bound.
    beast_error run(std::chrono::milliseconds bound, const std::function<void(handler)>& start,
                    std::size_t* transferred = nullptr) {
        beast_error ended;
        stream->expires_after(bound);
        start([&](beast_error ec, std::size_t count) {
            ended = ec;
            if (transferred != nullptr) *transferred = count;
        });
        context.restart();
        context.run();
        return ended;
    }

    void expect_answer(const http_request& request) {
        answer.emplace();
        answer->eager(true);
        answer->body_limit(boost::none);
        answer->skip(request.method == "HEAD");
        chunk_seen = false;
        answer->on_chunk_header(on_chunk);
    }

    /// Gives the parser what has been read.
    beast_error feed() {
        while (in.size() != 0 && !answer->is_done()) {
            // Beast 1.81 has an assertion where the only chunk is the last one and comes in pieces
            // smaller than that. No sound body is shorter.
            if (answer->is_header_done() && answer->chunked() && !chunk_seen &&
                in.size() < chunked_body_bytes_min)
                return {};
            beast_error ec;
            const std::size_t count = answer->put(in.data(), ec);
            in.consume(count);
            if (ec && ec != http::error::need_more) return ec;
            if (ec || count == 0) return {};
        }
        return {};
    }

    /// Reads until `enough` of the answer is there.
    template <class Enough>
    beast_error read(const Enough& enough) {
        for (;;) {
            if (const beast_error ec = feed()) return ec;
            if (enough()) return {};
            std::size_t count = 0;
            const auto room = in.prepare(part_bytes);
            beast_error ec = run(
                bounds.silence,
                [&](handler done) { stream->async_read_some(room, std::move(done)); }, &count);
            in.commit(count);
            if (ec == asio::error::eof) {
                if (!answer->got_some()) return http::error::end_of_stream;
                ec = {};
                answer->put_eof(ec);
                if (!ec && !enough()) ec = http::error::partial_message;
                return ec;
            }
            if (ec) return ec;
        }
    }

    void drop() {
        if (stream) {
            beast_error ignored;
            stream->socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
        }
        stream.reset();
        in.clear();
        used = false;
        endless = false;
    }

    result<void> connect() {
        if (stream) return {};
        asio::ip::tcp::resolver resolver{context};
        beast_error ec;
        const auto addresses = resolver.resolve(where.host, where.port, ec);
        if (ec) return unreachable(ec);
        stream.emplace(context);
        ec = run(bounds.connect, [&](handler done) {
            stream->async_connect(addresses, [done = std::move(done)](
                                                 beast_error bad, const auto&) { done(bad, 0); });
        });
        if (ec) {
            drop();
            return unreachable(ec);
        }
        stream->socket().set_option(asio::ip::tcp::no_delay{true}, ec);
        return {};
    }

    std::unexpected<error> unreachable(const beast_error& ec) const {
        const std::string why = ec == beast::error::timeout ? "no answer in time" : ec.message();
        return fail(
            cli_errc::unreachable,
            fmt::format("cannot reach http://{}{}: {}. Is the server running "
                        "(`flexcore serve`)? Another address goes into --url or FLEXCORE_URL",
                        where.authority(), where.base, why));
    }

    std::unexpected<error> failed(const beast_error& ec) {
        drop();
        if (ec == beast::error::timeout)
            return fail(cli_errc::timeout,
                        fmt::format("http://{} did not answer within {} s", where.authority(),
                                    std::chrono::duration<double>{bounds.silence}.count()));
        const bool ended = ec == http::error::end_of_stream || ec == asio::error::eof ||
                           ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
                           ec == http::error::partial_message;
        return fail(ended ? cli_errc::broken : cli_errc::bad_answer,
                    fmt::format("http://{}: {}", where.authority(),
                                ended ? "the connection ended before the answer was complete"
                                      : ec.message()));
    }

    [[nodiscard]] std::string head_of(const http_request& request) const {
        std::string out =
            fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: flexcore\r\n", request.method,
                        where.base, request.target, where.authority());
        for (const auto& [name, value] : request.headers)
            out += fmt::format("{}: {}\r\n", name, value);
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
            out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.content_type,
                               request.body.size());
        return out += "\r\n";
    }

    [[nodiscard]] http_answer head_of_answer() const {
        const auto& message = answer->get();
        return {static_cast<int>(message.result_int()),
                std::string{message[http::field::content_type]},
                std::string{message[http::field::retry_after]},
                {}};
    }

    /// Sends, and reads until `enough`; once more on a fresh connection when the kept one turns out
    /// to be closed and that is safe.
    template <class Enough>
    result<void> exchange(const http_request& request, const Enough& enough) {
        const std::string head = head_of(request);
        const std::array parts{asio::buffer(head), asio::buffer(request.body)};
        for (;;) {
            if (const auto connected = connect(); !connected) return fail(connected.error());
            const bool kept = std::exchange(used, true);
            expect_answer(request);
            beast_error ec = run(bounds.silence, [&](handler done) {
                asio::async_write(*stream, parts, std::move(done));
            });
            // A server that refuses early stops reading, but has answered.
            if (!ec || ec == asio::error::broken_pipe || ec == asio::error::connection_reset)
                ec = read(enough);
            if (!ec) return {};
            const bool stale = kept && !answer->got_some() && ec != beast::error::timeout;
            const auto failure = failed(ec);
            if (!stale || request.method != "GET") return failure;
        }
    }

    std::function<void(std::uint64_t, beast::string_view, beast_error&)> on_chunk =
        [this](std::uint64_t, beast::string_view, beast_error&) { chunk_seen = true; };
};

http_client::http_client(url where, timeouts bounds) : state_{std::make_unique<state>()} {
    state_->where = std::move(where);
    state_->bounds = bounds;
}
http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;

const url& http_client::where() const noexcept { return state_->where; }

result<http_answer> http_client::ask(const http_request& request) {
    state& my = *state_;
    if (my.endless) my.drop();
    const auto whole = [&] { return my.answer->is_done(); };
    if (const auto done = my.exchange(request, whole); !done) return fail(done.error());
    http_answer answer = my.head_of_answer();
    answer.body = std::move(my.answer->get().body());
    if (!my.answer->keep_alive()) my.drop();
    return answer;
}

result<http_answer> http_client::open(const http_request& request) {
    state& my = *state_;
    my.drop();
    const auto head = [&] { return my.answer->is_header_done(); };
    if (const auto done = my.exchange(request, head); !done) return fail(done.error());
    my.endless = true;
    return my.head_of_answer();
}

result<std::optional<std::string>> http_client::read_part() {
    state& my = *state_;
    std::string& body = my.answer->get().body();
    const auto some = [&] { return !body.empty() || my.answer->is_done(); };
    if (!some()) {
        if (const auto ec = my.read(some); ec && body.empty()) return my.failed(ec);
    }
    if (body.empty()) return std::optional<std::string>{};
    return std::exchange(body, {});
}

}  // namespace flexcore::cli
