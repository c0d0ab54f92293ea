#include "cli/url.hpp"

#include <catch2/catch.hpp>

using flexcore::cli::parse_url;
using flexcore::cli::percent_encoded;

TEST_CASE("url: host, port and base of an http URL, or of a bare HOST:PORT") {
    const auto full = parse_url("http://example.org:81/base/");
    REQUIRE(full);
    CHECK(full->host == "example.org");
    CHECK(full->port == "81");
    CHECK(full->base == "/base");
    CHECK(parse_url("http://example.org")->port == "80");
    CHECK(parse_url("localhost:8080")->authority() == "localhost:8080");
    CHECK(parse_url("http://[::1]:9/")->host == "::1");
    CHECK(parse_url("http://[::1]:9/")->authority() == "[::1]:9");
    CHECK(parse_url("HTTP://x:1")->host == "x");
}

TEST_CASE("url: what is no URL of a server is refused") {
    for (const char* text :
         {"", "https://x", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:65536",
          "http://x:", "http://x:8o", "http://[::1", "http://a b", "http://u@x", "http://x?q=1",
          "http://x#f", "http://[::1]x"}) {
        INFO(text);
        CHECK_FALSE(parse_url(text));
    }
}

TEST_CASE("url: the refusal says what to write instead, and never a password") {
    const auto said = [](const char* text) {
        const auto refused = parse_url(text);
        return refused ? std::string{} : refused.error().client;
    };
    CHECK(said("https://x").find("only http:// is spoken") != std::string::npos);
    CHECK(said("HTTPS://x").find("TLS") != std::string::npos);
    CHECK(said("http://::1:8080").find("http://[::1]:8080") != std::string::npos);
    CHECK(said("http://u:secret@x").find("no user and no password") != std::string::npos);
    CHECK(said("http://u:secret@x").find("secret") == std::string::npos);
}

TEST_CASE("url: everything but unreserved characters is percent-encoded") {
    CHECK(percent_encoded("a-Z_0.9~") == "a-Z_0.9~");
    CHECK(percent_encoded("a b/c?d&e=f%") == "a%20b%2Fc%3Fd%26e%3Df%25");
    CHECK(percent_encoded("\xc3\xa9\x01") == "%C3%A9%01");
}
