#include "check.hpp"

namespace {

void check_format(const std::string& name, const std::vector<std::string>& good,
                  const std::vector<std::string>& bad) {
    const flexcore::schema s = compiled("{\"format\":\"" + name + "\"}");
    for (const auto& text : good) {
        INFO(name << " " << text);
        CHECK(s.validate(boost::json::value(text)).empty());
    }
    for (const auto& text : bad) {
        INFO(name << " not " << text);
        CHECK(s.validate(boost::json::value(text)).size() == 1);
    }
    CHECK(accepts(s, "7"));
}

}  // namespace

TEST_CASE("format: date-time, date and time of RFC 3339") {
    check_format("date-time",
                 {"2026-11-22T10:00:00Z", "2026-11-22t10:00:00.5+01:00", "2024-02-29T00:00:00Z"},
                 {"", "2026-11-22", "2026-11-22 10:00:00Z", "2026-11-22T10:00:00",
                  "2026-02-29T00:00:00Z", "2026-11-22T25:00:00Z"});
    check_format("date", {"2026-11-22", "2024-02-29"},
                 {"", "2026-1-2", "2026-02-30", "2026-11-22T", "20261122", "2026-11-22Z"});
    check_format("time", {"10:00:00Z", "10:00:00.123+02:00", "23:59:60Z"},
                 {"", "10:00:00", "24:00:00Z", "10:00Z", "10:00:60Z"});
}

TEST_CASE("format: addresses and names") {
    check_format("email", {"a@b.de", "first.last+tag@example.org", "x@localhost"},
                 {"", "a", "@b", "a@", "a@b@c", "a b@c", ".a@b", "a.@b", "a..b@c", "a@-b", "ä@b.de",
                  "a@b\n"});
    check_format("uri", {"https://example.org/a?b=c#d", "urn:isbn:123", "mailto:a@b", "x:%20"},
                 {"", "example.org", "/a", "1x:y", "http://a b", "x:%2", "x:%zz", "http://ä",
                  "http://a\"b"});
    check_format(
        "uuid",
        {"0192f0c1-2345-7abc-8def-0123456789ab", "0192F0C1-2345-7ABC-8DEF-0123456789AB",
         "00000000-0000-0000-0000-000000000000"},
        {"", "0192f0c123457abc8def0123456789ab", "{0192f0c1-2345-7abc-8def-0123456789ab}"});
    check_format("ipv4", {"127.0.0.1", "255.255.255.255"},
                 {"", "256.0.0.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "::1", " 1.2.3.4",
                  std::string("1.2.3.4\0x", 9)});
    check_format("ipv6", {"::", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4"},
                 {"", ":", "1.2.3.4", "12345::", "::1%eth0", "1::2::3"});
    check_format("hostname", {"localhost", "a-b.example.org", "1a", std::string(63, 'a')},
                 {"", ".", "a.", "-a", "a-", "a_b", "a..b", std::string(64, 'a'), "ä.de"});
}

TEST_CASE("format: an unknown one checks nothing") {
    CHECK(accepts(R"({"format":"colour"})", "\"anything\""));
    CHECK(accepts(R"({"format":""})", "\"anything\""));
}
