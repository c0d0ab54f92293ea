// Any sequence of operations: the log and a simple model of it say the same.
//
// FLEXCORE_MODEL_SEED repeats a run, FLEXCORE_MODEL_RUNS makes it longer.
#include "contract/log_operations.hpp"

#include <cstdlib>
#include <random>

using namespace contract;

namespace {

constexpr std::size_t operations = 60;
constexpr std::uint64_t runs_usual = 25;
constexpr std::uint64_t runs_remote = 5;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

TEST_CASE("model: whatever is done in whatever order, every answer and every read is the model's",
          "[store][model]") {
    const backend which = each_backend();
    const std::uint64_t first = from_environment("FLEXCORE_MODEL_SEED", std::random_device{}());
    const std::uint64_t runs =
        from_environment("FLEXCORE_MODEL_RUNS", which.remote ? runs_remote : runs_usual);
    for (std::uint64_t seed = first; seed < first + runs; ++seed) {
        const auto all = random_operations(seed, operations);
        if (!difference(all, which)) continue;
        const auto few = shrunk(all, which);
        FAIL("FLEXCORE_MODEL_SEED=" << seed << ", " << which.url << "\n"
                                    << describe(few)
                                    << difference(few, which).value_or("not seen again"));
    }
}

TEST_CASE("model: a log that differs is found, and the way there made short", "[store][model]") {
    const backend which = backends().front();
    constexpr auto wrong = log_model::mistake::forgets_deletions;
    for (std::uint64_t seed = 1;; ++seed) {
        REQUIRE(seed < 20);
        const auto all = random_operations(seed, operations);
        if (!difference(all, which, wrong)) continue;
        const auto few = shrunk(all, which, wrong);
        CHECK(few.size() == 2);  // something is written and then deleted
        CHECK(describe(few).find("soft delete") != std::string::npos);
        return;
    }
}
