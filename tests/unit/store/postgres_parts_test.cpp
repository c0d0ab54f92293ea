// What the store in PostgreSQL is made of, as far as it needs no server.
#include "store/postgres/absent_filter.hpp"
#include "store/postgres/child_program.hpp"
#include "store/postgres/conninfo.hpp"
#include "store/postgres/literal.hpp"
#include "store/postgres/row_cache.hpp"
#include "store/postgres/sessions.hpp"
#include "store/postgres/view_value.hpp"

#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <random>

using namespace flexcore;                   // NOLINT: a test's vocabulary
using namespace flexcore::store;            // NOLINT
using namespace flexcore::store::postgres;  // NOLINT

namespace {

/// Two ends; what is shut down at one is over at the other.
struct socket_pair {
    socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    ~socket_pair() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    socket_pair(const socket_pair&) = delete;
    socket_pair& operator=(const socket_pair&) = delete;
    [[nodiscard]] bool is_over(int how) const {
        char byte = 0;
        return ::recv(ends[1], &byte, 1, how) == 0;
    }
    int ends[2]{};
};

std::strong_ordering bytewise(const std::string& left, const std::string& right) {
    return left.compare(right) <=> 0;
}

}  // namespace

TEST_CASE("postgres values: bytes of a column are in the order of their values",
          "[store][postgres]") {
    std::vector<scalar> values{nullptr,
                               std::string{},
                               std::string{"\0", 1},
                               std::string{"\0a", 2},
                               std::string{"a"},
                               std::string{"ab"},
                               std::string{"\xff"},
                               std::string{"5"},
                               std::string(text_bytes_max, 'a')};
    for (const std::int64_t edge :
         {std::int64_t{0}, std::int64_t{1} << 52, std::int64_t{1} << 53, std::int64_t{1} << 62,
          std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min() + 1}) {
        for (std::int64_t by = -1; by <= (edge > (std::int64_t{1} << 62) ? 0 : 1); ++by) {
            values.emplace_back(edge + by);
            if (edge > 0) values.emplace_back(-(edge + by));
            values.push_back(normalized(static_cast<double>(edge + by)));
            values.push_back(normalized(-static_cast<double>(edge + by)));
        }
    }
    for (const double edge : {0.1, 0.5, 1.5, 2.5, 1e-300, 1e300, 5e-324, 2.2250738585072014e-308,
                              std::numeric_limits<double>::max(), 9223372036854775808.0}) {
        values.emplace_back(edge);
        values.emplace_back(-edge);
        values.emplace_back(std::nextafter(edge, 1e308));
    }
    std::mt19937_64 random{3};  // NOLINT: the same run each time
    for (int i = 0; i < 300; ++i) {
        values.emplace_back(static_cast<std::int64_t>(random()) >> (random() % 64));
        const double any =
            std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 400) - 200);
        values.push_back(normalized(random() % 2 == 0 ? any : -any));
    }
    for (const auto& left : values) {
        for (const auto& right : values) {
            if (compare_scalars(left, right) != bytewise(column_bytes(left), column_bytes(right))) {
                FAIL("kinds " << left.index() << " and " << right.index());
            }
        }
    }
}

TEST_CASE("postgres values: a text too long for an index is still found, and by it alone",
          "[store][postgres]") {
    const std::string start(text_bytes_max, 'a');
    const auto one = column_bytes(start + "b");
    CHECK(one.size() < text_bytes_max + 32);
    CHECK(one == column_bytes(start + "b"));
    CHECK(one != column_bytes(start + "c"));
    CHECK(one > column_bytes(start));
    CHECK(one < column_bytes(std::string{"b"}));
}

TEST_CASE("postgres: what a text column can hold", "[store][postgres]") {
    CHECK(is_storable("bär 😀 '\"\\"));
    CHECK_FALSE(is_storable(std::string_view{"a\0b", 3}));
    CHECK_FALSE(is_storable("\xff"));
    CHECK(literal("it's") == "'it''s'");
    CHECK(bytes_text(std::string_view{"\0\xff'", 3}) == "\\x00ff27");
}

TEST_CASE("absent filter: no row that was added is taken for absent, few others for there",
          "[store][postgres]") {
    absent_filter rows;
    CHECK(rows.is_absent("anything"));
    constexpr int count = 60'000;  // beyond the first layer
    for (int i = 0; i < count; ++i) rows.add("row " + std::to_string(i));
    int missed = 0;
    int mistaken = 0;
    for (int i = 0; i < count; ++i) {
        if (rows.is_absent("row " + std::to_string(i))) ++missed;
        if (!rows.is_absent("other " + std::to_string(i))) ++mistaken;
    }
    CHECK(missed == 0);
    CHECK(mistaken < count / 20);
}

TEST_CASE("row cache: keeps what is used, forgets the rest, within its bytes",
          "[store][postgres]") {
    row_cache rows{100'000};
    CHECK(rows.find("none") == nullptr);
    rows.put("hot", known_row{"{}", 1});
    rows.put("gone", std::nullopt);
    REQUIRE(rows.find("gone") != nullptr);
    CHECK_FALSE(rows.find("gone")->has_value());
    for (int i = 0; i < 2'000; ++i) {
        rows.put(std::to_string(i), known_row{std::string(100, 'x'), 2});
        REQUIRE(rows.find("hot") != nullptr);
    }
    CHECK(rows.find("hot")->value().pos == 1);
    CHECK(rows.find("gone") == nullptr);
    CHECK(rows.find("1999") != nullptr);
    int kept = 0;
    for (int i = 0; i < 2'000; ++i) kept += rows.find(std::to_string(i)) == nullptr ? 0 : 1;
    CHECK(kept < 600);
    rows.forget("hot");
    CHECK(rows.find("hot") == nullptr);
}

TEST_CASE("watch: in a silence reads are given up, writes keep their time", "[store][postgres]") {
    watch heard;
    const socket_pair read;
    const socket_pair write;
    CHECK(heard.quiet_for() == monotonic::duration{});
    {
        const watch::guard writes{heard, watch::what::write, write.ends[0], no_deadline};
        {
            const watch::guard connects{heard, watch::what::connect, -1, no_deadline};
            const watch::guard reads{heard, watch::what::read, read.ends[0], no_deadline};
            CHECK(read.is_over(0));  // waits for it
            CHECK(heard.silent());
            CHECK_FALSE(write.is_over(MSG_DONTWAIT));
        }
        // That they have ended is no answer.
        CHECK(heard.silent());
        watch::guard{heard, watch::what::connect, -1, no_deadline}.answered();
        CHECK_FALSE(heard.silent());
    }
    CHECK(heard.quiet_for() > monotonic::duration{});
    watch::guard{heard, watch::what::read, -1, no_deadline}.answered();
    CHECK(heard.quiet_for() == monotonic::duration{});
}

TEST_CASE("watch: a statement beyond its time is ended, whatever else is answered",
          "[store][postgres]") {
    watch heard;
    const socket_pair write;
    watch::guard overdue{heard, watch::what::write, write.ends[0],
                         monotonic::now() + std::chrono::milliseconds{20}};
    watch::guard{heard, watch::what::read, -1, no_deadline}.answered();
    CHECK(write.is_over(0));
}

TEST_CASE("watch: whoever waits for a server that was replaced is given up, and nobody else",
          "[store][postgres]") {
    watch heard;
    heard.serves(1);
    const socket_pair before;
    const socket_pair setting_up;
    const socket_pair after;
    const socket_pair late;
    const watch::guard old{heard, watch::what::write, before.ends[0], no_deadline, 1};
    const watch::guard unknown{heard, watch::what::write, setting_up.ends[0], no_deadline};
    const watch::guard present{heard, watch::what::write, after.ends[0], no_deadline, 2};
    CHECK_FALSE(heard.replaced(1));
    heard.serves(2);
    CHECK(before.is_over(0));
    CHECK(heard.replaced(1));
    CHECK_FALSE(heard.replaced(2));
    heard.serves(1);
    const watch::guard begun_late{heard, watch::what::read, late.ends[0], no_deadline, 1};
    CHECK(late.is_over(0));
    CHECK_FALSE(setting_up.is_over(MSG_DONTWAIT));
    CHECK_FALSE(after.is_over(MSG_DONTWAIT));
}

TEST_CASE("backoff: pauses grow to a bound, and begin anew after a success", "[store][postgres]") {
    backoff pace;
    const auto pause_after_failure = [&] {
        const auto before = monotonic::now();
        pace.failed();
        const auto after = monotonic::now();
        // Between these two it was drawn.
        return std::pair{pace.next_try() - after, pace.next_try() - before};
    };
    auto expected = std::chrono::duration_cast<monotonic::duration>(backoff::first);
    for (int i = 0; i < 10; ++i) {
        const auto [least, most] = pause_after_failure();
        CHECK(least <= expected);
        CHECK(most >= expected / 2);
        expected = std::min<monotonic::duration>(expected * 2, backoff::longest);
    }
    CHECK(expected == backoff::longest);
    pace.succeeded();
    CHECK(pause_after_failure().first <= backoff::first);
}

TEST_CASE("conninfo: for a program's arguments the password stands apart, whatever is in it",
          "[store][postgres]") {
    const auto where = read_conninfo("postgresql://u:a%20'b%5Cc@one:1,two:2/d?sslmode=require", "",
                                     std::chrono::seconds{3});
    REQUIRE(where);
    CHECK(where->sslmode == "require");
    REQUIRE(where->hosts.size() == 2);
    for (const auto& host : where->hosts) {
        const auto shown = without_secrets(host);
        REQUIRE(shown);
        CHECK(shown->password == "a 'b\\c");
        CHECK_FALSE(shown->text.contains("b\\"));
        CHECK(shown->text.contains("user='u'"));
        CHECK(shown->text.contains("sslmode='require'"));
        CHECK(shown->text.contains(&host == &where->hosts[0] ? "host='one'" : "host='two'"));
    }
    const auto key =
        read_conninfo("postgresql://u@one/d?sslpassword=very-secret", "", std::chrono::seconds{3});
    REQUIRE(key);
    const auto refused = without_secrets(key->hosts[0]);
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().client.contains("very-secret"));
}

TEST_CASE("programs: are found in PATH, their ends and words are told, and they can be ended",
          "[store][postgres]") {
    const auto shell = find_program("sh");
    REQUIRE_FALSE(shell.empty());
    CHECK(find_program("no-such-program-anywhere").empty());
    const auto said =
        run_program({shell, "-c", "echo $PGPASSWORD; echo wrong >&2; exit 3"}, "s", {});
    REQUIRE(said);
    CHECK_FALSE(said->succeeded);
    CHECK(said->said == "s wrong");
    const auto well = run_program({shell, "-c", "exit 0"}, "", {});
    REQUIRE(well);
    CHECK(well->succeeded);
    const auto much = run_program({shell, "-c", "yes | head -c 1000000; echo end"}, "", {});
    REQUIRE(much);
    CHECK(much->said.size() <= 4'096);
    CHECK(much->said.ends_with(" end"));
    const auto ended =
        run_program({shell, "-c", "exec tail -f /dev/null"}, "", [] { return true; });
    REQUIRE(ended);
    CHECK_FALSE(ended->succeeded);
    CHECK_FALSE(run_program({"/no/such/program"}, "", {}));
}
