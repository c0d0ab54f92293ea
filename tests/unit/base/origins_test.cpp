// Which web pages may ask.
#include "base/origins.hpp"

#include <catch2/catch.hpp>

using namespace flexcore;

TEST_CASE("origins: one form, whatever the case and the usual port") {
    CHECK(canonical_origin("https://App.Example.com") == "https://app.example.com");
    CHECK(canonical_origin("HTTPS://app.example.com:443") == "https://app.example.com");
    CHECK(canonical_origin("http://localhost:80") == "http://localhost");
    CHECK(canonical_origin("http://localhost:443") == "http://localhost:443");
    CHECK(canonical_origin("http://[::1]:8080") == "http://[::1]:8080");
    for (const char* bad : {"", "null", "*", "example.com", "https://", "https://a/", "https://a/b",
                            "https://a?b", "https://a b", "https://a,https://b", "https://u@a",
                            "ftp://a", "https://a:", "https://a:x", "https://a:123456",
                            "http://[::1", "http://[x]", "http://[]", "file:///a"}) {
        INFO(bad);
        CHECK_FALSE(canonical_origin(bad));
    }
}

TEST_CASE("origins: a page of this server's own address is known by the Host field") {
    CHECK(is_same_host("http://localhost:8080", "localhost:8080"));
    CHECK(is_same_host("http://LOCALHOST:8080", "localhost:8080"));
    CHECK(is_same_host("https://localhost", "localhost:443"));
    CHECK(is_same_host("http://127.0.0.1", "127.0.0.1:80"));
    CHECK(is_same_host("http://192.168.1.20:8080", "192.168.1.20:8080"));
    CHECK(is_same_host("http://[::1]:8080", "[::1]:8080"));
    CHECK_FALSE(is_same_host("http://localhost:8081", "localhost:8080"));
    CHECK_FALSE(is_same_host("http://localhost:8080", "localhost"));
    CHECK_FALSE(is_same_host("http://evil.example", "localhost:8080"));
    CHECK_FALSE(is_same_host("null", ""));
    CHECK_FALSE(is_same_host("null", "null"));
    CHECK_FALSE(is_same_host("", ""));
}

TEST_CASE("origins: a name that can be made to point here is not this server's own") {
    for (const char* name :
         {"evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3",
          "localhost.", "256.1.1.1", "app.localhost"}) {
        INFO(name);
        CHECK_FALSE(is_same_host("http://" + std::string{name}, name));
    }
    CHECK(origin_list{{"http://evil.example:8080"}}.allows("http://evil.example:8080"));
}

TEST_CASE("origins: the list allows what it names and nothing else") {
    const origin_list list{{"https://app.example.com", "http://localhost:3000", "nonsense"}};
    CHECK(list.allows("https://app.example.com"));
    CHECK(list.allows("https://app.example.com:443"));
    CHECK(list.allows("http://localhost:3000"));
    CHECK_FALSE(list.allows("http://app.example.com"));
    CHECK_FALSE(list.allows("https://app.example.com.evil.example"));
    CHECK_FALSE(list.allows("nonsense"));
    CHECK_FALSE(list.allows("null"));
    CHECK_FALSE(origin_list{}.allows("http://localhost"));
}
