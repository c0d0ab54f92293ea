#include "base/arena.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using flexcore::bytes_arena;

TEST_CASE("bytes_arena: kept texts stay as they were, however many follow") {
    bytes_arena arena{16};
    std::vector<std::string_view> kept;
    for (int i = 0; i < 1000; ++i) {
        std::string text = "text " + std::to_string(i);
        kept.push_back(arena.keep(text));
        text.assign(text.size(), '#');
    }
    for (int i = 0; i < 1000; ++i)
        CHECK(kept[static_cast<std::size_t>(i)] == "text " + std::to_string(i));
}

TEST_CASE("bytes_arena: an empty text costs nothing and used counts the rest") {
    bytes_arena arena;
    CHECK(arena.keep("").empty());
    CHECK(arena.used() == 0);
    CHECK(arena.keep("abc") == "abc");
    arena.allocate(7)[6] = 'x';
    CHECK(arena.used() == 10);
}
