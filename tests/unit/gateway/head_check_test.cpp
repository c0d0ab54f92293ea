#include "gateway/head_check.hpp"

#include "gateway/errc.hpp"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;

/// What the server says of these bytes when they arrive in pieces that end at `cuts`; nullopt:
/// fine.
std::optional<std::error_code> verdict(const std::string& bytes,
                                       const std::vector<std::size_t>& cuts) {
    head_scanner scanner{16384};
    for (const std::size_t cut : cuts) {
        const auto length = scanner.scan(std::string_view{bytes}.substr(0, cut));
        if (!length) return length.error().code;
        if (*length == 0) continue;
        const auto ok = check_head(std::string_view{bytes}.substr(0, *length));
        if (!ok) return ok.error().code;
        return std::nullopt;
    }
    return make_error_code(gateway_errc::request_timeout);  // the head never came to its end
}

struct example {
    const char* name;
    std::string bytes;
};

std::string with_fields(const std::string& fields) {
    return "POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::vector<example> broken_heads() {
    return {
        {"two different Content-Length", with_fields("Content-Length: 1\r\nContent-Length: 2\r\n")},
        {"a repeated Content-Length", with_fields("Content-Length: 1\r\nContent-Length: 1\r\n")},
        {"a list in Content-Length", with_fields("Content-Length: 1, 1\r\n")},
        {"a signed Content-Length", with_fields("Content-Length: +1\r\n")},
        {"a negative Content-Length", with_fields("Content-Length: -1\r\n")},
        {"a hexadecimal Content-Length", with_fields("Content-Length: 0x1\r\n")},
        {"an empty Content-Length", with_fields("Content-Length:\r\n")},
        {"an overflowing Content-Length", with_fields("Content-Length: 18446744073709551616\r\n")},
        {"Content-Length with Transfer-Encoding",
         with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")},
        {"Transfer-Encoding with Content-Length",
         with_fields("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")},
        {"Transfer-Encoding: gzip", with_fields("Transfer-Encoding: gzip\r\n")},
        {"Transfer-Encoding: gzip, chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n")},
        {"Transfer-Encoding: chunked, chunked",
         with_fields("Transfer-Encoding: chunked, chunked\r\n")},
        {"Transfer-Encoding: identity", with_fields("Transfer-Encoding: identity\r\n")},
        {"Transfer-Encoding: xchunked", with_fields("Transfer-Encoding: xchunked\r\n")},
        {"Transfer-Encoding with a parameter", with_fields("Transfer-Encoding: chunked;q=1\r\n")},
        {"an empty Transfer-Encoding", with_fields("Transfer-Encoding:\r\n")},
        {"two Transfer-Encoding",
         with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        {"Transfer-Encoding in HTTP/1.0",
         "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"no Host", "GET /x HTTP/1.1\r\nAccept: a\r\n\r\n"},
        {"two Host", "GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {"a Host with a path", "GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {"a Host with a space", "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {"obs-fold with a space", with_fields("X: a\r\n b\r\n")},
        {"obs-fold with a tab", with_fields("X: a\r\n\tb\r\n")},
        {"a folded first field", "GET /x HTTP/1.1\r\n Host: a\r\n\r\n"},
        {"a space before the colon", with_fields("X : a\r\n")},
        {"a tab before the colon", with_fields("X\t: a\r\n")},
        {"a field without a colon", with_fields("nothing\r\n")},
        {"an empty field name", with_fields(": a\r\n")},
        {"a field name with a space", with_fields("X Y: a\r\n")},
        {"a field name with a bracket", with_fields("X(Y): a\r\n")},
        {"a field name beyond ASCII", with_fields("X\xC3\xA9: a\r\n")},
        {"LF alone", "GET /x HTTP/1.1\nHost: a\n\n"},
        {"LF alone in a field", with_fields("X: a\nY: b\r\n")},
        {"CR alone in a value", with_fields("X: a\rb\r\n")},
        {"CR alone in the request line", "GET /x\r HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"NUL in a value", with_fields(std::string{"X: a\0b\r\n", 9})},
        {"NUL in a field name", with_fields(std::string{"X\0: a\r\n", 8})},
        {"NUL in the target", std::string{"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 29}},
        {"a control character in a value", with_fields("X: a\x01\r\n")},
        {"DEL in a value", with_fields("X: a\x7F\r\n")},
        {"a tab in the request line", "GET\t/x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"an empty method", " /x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a method that is no token", "G(T /x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"two spaces before the target", "GET  /x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"two spaces behind the target", "GET /x  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a space in the target", "GET /x y HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a byte beyond ASCII in the target", "GET /\xC3\xA9 HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"no version", "GET /x\r\nHost: a\r\n\r\n"},
        {"HTTP/0.9", "GET /x HTTP/0.9\r\nHost: a\r\n\r\n"},
        {"HTTP/1.2", "GET /x HTTP/1.2\r\nHost: a\r\n\r\n"},
        {"a lower case version", "GET /x http/1.1\r\nHost: a\r\n\r\n"},
        {"space behind the version", "GET /x HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {"TLS", std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11}},
    };
}

}  // namespace

TEST_CASE("framing: every broken head is refused, however its bytes are split") {
    for (const example& one : broken_heads()) {
        INFO(one.name);
        const auto bad = make_error_code(gateway_errc::bad_request);
        CHECK(verdict(one.bytes, {one.bytes.size()}) == bad);
        std::vector<std::size_t> every;
        for (std::size_t cut = 1; cut <= one.bytes.size(); ++cut) {
            INFO("cut at " << cut);
            CHECK(verdict(one.bytes, {cut, one.bytes.size()}) == bad);
            every.push_back(cut);
        }
        CHECK(verdict(one.bytes, every) == bad);
    }
}

TEST_CASE("framing: sound heads pass, however their bytes are split") {
    for (const example& one : std::vector<example>{
             {"plain", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"},
             {"HTTP/1.0 without Host", "GET /x HTTP/1.0\r\n\r\n"},
             {"an empty Host", "GET /x HTTP/1.1\r\nHost:\r\n\r\n"},
             {"a port, an IPv6 address", "GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"},
             {"chunked in capitals", with_fields("Transfer-Encoding: Chunked\r\n")},
             {"space around a value", with_fields("Content-Length: \t 5 \t\r\n")},
             {"the largest length", with_fields("Content-Length: 18446744073709551615\r\n")},
             {"bytes beyond ASCII in a value", with_fields("X: \xC3\xA9\r\n")},
             {"a tab in a value", with_fields("X: a\tb\r\n")},
             {"an empty value", with_fields("X:\r\n")},
             {"absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"},
             {"an unknown method", "BREW /x HTTP/1.1\r\nHost: a\r\n\r\n"}}) {
        INFO(one.name);
        for (std::size_t cut = 1; cut <= one.bytes.size(); ++cut)
            CHECK(verdict(one.bytes, {cut, one.bytes.size()}) == std::nullopt);
    }
}

TEST_CASE("framing: sizes have their bounds and their own answers") {
    const std::string end = " HTTP/1.1\r\nHost: a\r\n\r\n";
    std::string head = "GET /" + std::string(target_bytes_max - 1, 'x') + end;
    CHECK(verdict(head, {head.size()}) == std::nullopt);
    head = "GET /" + std::string(target_bytes_max, 'x') + end;
    CHECK(verdict(head, {head.size()}) == make_error_code(gateway_errc::uri_too_long));
    // Told as soon as it is too long, not when its line ends.
    head = "GET /" + std::string(9000, 'x');
    CHECK(verdict(head, {head.size()}) == make_error_code(gateway_errc::uri_too_long));

    head = with_fields("X: " + std::string(16384, 'x') + "\r\n");
    CHECK(verdict(head, {head.size()}) == make_error_code(gateway_errc::header_too_large));
    CHECK(verdict(head, {16384}) == make_error_code(gateway_errc::header_too_large));
    std::string fields;
    for (int i = 0; i < 100; ++i) fields += "X: a\r\n";
    head = with_fields(fields);
    CHECK(verdict(head, {head.size()}) == make_error_code(gateway_errc::header_too_large));
}

TEST_CASE("framing: the scanner finds the end of a head with more behind it") {
    head_scanner scanner{16384};
    const std::string head = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    const auto length = scanner.scan(head + "GET /y");
    REQUIRE(length);
    CHECK(*length == head.size());
    scanner.reset();
    CHECK(*scanner.scan("GET /y") == 0);
}
