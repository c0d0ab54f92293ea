#include "gateway/places.hpp"

#include <catch2/catch.hpp>

using flexcore::gateway::places;

TEST_CASE("places: as many as there are, each given back once") {
    places few{2};
    places::held first = few.take(), second = few.take();
    CHECK(first);
    CHECK(second);
    CHECK_FALSE(few.take());
    CHECK(few.taken() == 2);
    {
        const places::held moved = std::move(first);
        CHECK(moved);
        CHECK_FALSE(first);
        CHECK_FALSE(few.take());
    }
    CHECK(few.taken() == 1);
    first = few.take();
    CHECK(first);
    first = places::held{};
    CHECK(few.taken() == 1);
}
