#include "cli/terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <sstream>

using namespace flexcore::cli;

TEST_CASE("terminal: control characters never reach it") {
    CHECK(printable("plain é text") == "plain é text");
    CHECK(printable("a\x1b[31mb\nc\x7f") == "a?[31mb?c?");
    CHECK(printable("x\xc2\x9bz") == "x?z");
}

TEST_CASE("terminal: numbers are grouped by thousands") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1'000) == "1,000");
    CHECK(grouped(1'234'567) == "1,234,567");
}

TEST_CASE("terminal: a pipe whose reader has gone is noticed without writing") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK_FALSE(reader_gone(ends[1]));
    ::close(ends[0]);
    CHECK(reader_gone(ends[1]));
    ::close(ends[1]);
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK_FALSE(reader_gone(null));
    ::close(null);
}

TEST_CASE("terminal: tables align, numbers to the right") {
    table t{{"name", "count", "note"}};
    t.add({"short", "1", "x"});
    t.add({"a longer one", "1,200", "yy"});
    std::ostringstream out;
    t.print(out, 0);
    CHECK(out.str() ==
          "name          count  note\n"
          "short             1  x\n"
          "a longer one  1,200  yy\n");
}

TEST_CASE("terminal: the last column is cut to the line, between characters") {
    table t{{"k", "value"}};
    t.add({"a", "éééééééééééééééééééé"});
    std::ostringstream out;
    t.print(out, 20);
    CHECK(out.str() == "k  value\na  éééééééééééééééé…\n");
}

TEST_CASE("terminal: a table without rows is its header") {
    std::ostringstream out;
    table{{"a", "b"}}.print(out, 80);
    CHECK(out.str() == "a  b\n");
}
