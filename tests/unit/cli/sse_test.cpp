#include "cli/sse.hpp"

#include <catch2/catch.hpp>

using flexcore::cli::sse_parser;

TEST_CASE("sse: messages come out whole, however the bytes are cut") {
    const std::string stream =
        "id: 7\nevent: note.added\ndata: {\"a\":1}\n\n"
        ": a comment\n\n"
        "id: 9\n\n"
        "event: caught_up\nid: 9\ndata: {}\n\n"
        "data: one\ndata: two\n\n";
    for (std::size_t step : {std::size_t{1}, std::size_t{3}, stream.size()}) {
        INFO(step);
        sse_parser parser;
        std::vector<flexcore::cli::sse_message> all;
        for (std::size_t at = 0; at < stream.size(); at += step)
            for (auto& m : parser.feed(std::string_view{stream}.substr(at, step)))
                all.push_back(std::move(m));
        REQUIRE(all.size() == 4);
        CHECK(all[0].id == "7");
        CHECK(all[0].event == "note.added");
        CHECK(all[0].data == "{\"a\":1}");
        CHECK(all[1].id == "9");
        CHECK(all[1].has_id);
        CHECK(all[1].data.empty());
        CHECK(all[2].event == "caught_up");
        CHECK(all[3].event == "message");
        CHECK(all[3].data == "one\ntwo");
        CHECK(all[3].id == "9");
        CHECK_FALSE(all[3].has_id);
    }
}

TEST_CASE("sse: line ends are LF, CRLF or CR") {
    for (const char* text :
         {"data: x\n\ndata: y\n\n", "data: x\r\n\r\ndata: y\r\n\r\n", "data: x\r\rdata: y\r\r"}) {
        sse_parser parser;
        const auto all = parser.feed(text);
        REQUIRE(all.size() == 2);
        CHECK(all[0].data == "x");
        CHECK(all[1].data == "y");
    }
}

TEST_CASE("sse: a message cut off by the end of the connection is not given") {
    sse_parser parser;
    CHECK(parser.feed("id: 1\ndata: x\n").empty());
}
