#include "cli/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <fmt/format.h>

#include <utility>

namespace flexcore::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast_error = boost::beast::error_code;

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
    std::optional<http::response_parser<http::buffer_body>> endless;

    /// Runs one asynchronous operation to its end, within its bound.
    template <class Start>
    beast_error run(std::chrono::milliseconds bound, const Start& start) {
        beast_error ended;
        stream->expires_after(bound);
        start([&ended](beast_error ec, auto&&...) { ended = ec; });
        context.restart();
        context.run();
        return ended;
    }

    void drop() {
        if (stream) {
            beast_error ignored;
            stream->socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
        }
        stream.reset();
        in.clear();
        used = false;
        endless.reset();
    }

    result<void> connect() {
        if (stream) return {};
        asio::ip::tcp::resolver resolver{context};
        beast_error ec;
        const auto addresses = resolver.resolve(where.host, where.port, ec);
        if (ec) return unreachable(ec);
        stream.emplace(context);
        ec = run(bounds.connect,
                 [&](auto done) { stream->async_connect(addresses, std::move(done)); });
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

    [[nodiscard]] http::request<http::string_body> message(const http_request& request) const {
        http::request<http::string_body> out;
        out.version(11);
        out.method_string(request.method);
        out.target(where.base + request.target);
        out.set(http::field::host, where.authority());
        out.set(http::field::user_agent, "flexcore");
        for (const auto& [name, value] : request.headers) out.set(name, value);
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
            out.set(http::field::content_type, request.content_type);
            out.body() = request.body;
            out.prepare_payload();
        }
        return out;
    }

    template <class Parser>
    static http_answer head_of(const Parser& parser) {
        const auto& message = parser.get();
        return {static_cast<int>(message.result_int()),
                std::string{message[http::field::content_type]},
                std::string{message[http::field::retry_after]},
                {}};
    }

    /// Sends and reads what `read` reads; once more on a fresh connection when the kept one turns
    /// out to be closed and that is safe.
    template <class Read>
    result<void> exchange(const http_request& request, const Read& read) {
        for (;;) {
            if (const auto connected = connect(); !connected) return fail(connected.error());
            const bool kept = std::exchange(used, true);
            auto out = message(request);
            beast_error ec = run(bounds.silence, [&](auto done) {
                http::async_write(*stream, out, std::move(done));
            });
            bool began = false;
            // A server that refuses early stops reading, but has answered.
            if (!ec || ec == asio::error::broken_pipe || ec == asio::error::connection_reset)
                ec = read(began);
            if (!ec) return {};
            const bool stale = kept && !began && ec != beast::error::timeout;
            const auto failure = failed(ec);
            if (!stale || request.method != "GET") return failure;
        }
    }
};

http_client::http_client(url where, timeouts bounds) : state_{std::make_unique<state>()} {
    state_->where = std::move(where);
    state_->bounds = bounds;
}
http_client::~http_client() = default;
http_client::http_client(http_client&&) noexcept = default;

const url& http_client::where() const noexcept { return state_->where; }

result<http_answer> http_client::ask(const http_request& request) {
    if (state_->endless) state_->drop();
    std::optional<http::response_parser<http::string_body>> parser;
    const auto read = [&](bool& began) {
        parser.emplace();
        parser->body_limit(boost::none);
        parser->skip(request.method == "HEAD");
        const beast_error ec = state_->run(state_->bounds.silence, [&](auto done) {
            http::async_read(*state_->stream, state_->in, *parser, std::move(done));
        });
        began = parser->got_some();
        return ec;
    };
    if (const auto done = state_->exchange(request, read); !done) return fail(done.error());
    http_answer answer = state::head_of(*parser);
    answer.body = std::move(parser->get().body());
    if (!parser->keep_alive()) state_->drop();
    return answer;
}

result<http_answer> http_client::open(const http_request& request) {
    state_->drop();
    const auto read = [&](bool& began) {
        auto& parser = state_->endless.emplace();
        parser.body_limit(boost::none);
        const beast_error ec = state_->run(state_->bounds.silence, [&](auto done) {
            http::async_read_header(*state_->stream, state_->in, parser, std::move(done));
        });
        began = parser.got_some();
        return ec;
    };
    if (const auto done = state_->exchange(request, read); !done) return fail(done.error());
    return state::head_of(*state_->endless);
}

result<std::optional<std::string>> http_client::read_part() {
    auto& parser = *state_->endless;
    std::string part(part_bytes, '\0');
    // An empty step can be the end of a chunk: ask again.
    while (!parser.is_done()) {
        auto& body = parser.get().body();
        body.data = part.data();
        body.size = part.size();
        const beast_error ec = state_->run(state_->bounds.silence, [&](auto done) {
            http::async_read_some(*state_->stream, state_->in, parser, std::move(done));
        });
        const std::size_t got = part.size() - body.size;
        if (ec && ec != http::error::need_buffer && got == 0) return state_->failed(ec);
        if (got == 0) continue;
        part.resize(got);
        return part;
    }
    return std::optional<std::string>{};
}

}  // namespace flexcore::cli
