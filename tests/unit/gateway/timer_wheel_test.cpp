#include "gateway/timer_wheel.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <vector>

namespace {

using namespace flexcore;
using namespace flexcore::gateway;
using std::chrono::milliseconds;

struct probe final : timer_wheel::entry {
    void expired() override {
        ++count;
        if (then) then();
    }
    int count = 0;
    std::function<void()> then;
};

}  // namespace

TEST_CASE("timer wheel: nothing expires early, nothing more than a tick late") {
    const auto begin = monotonic::now();
    timer_wheel wheel{begin};
    std::vector<std::unique_ptr<probe>> probes;
    std::vector<monotonic::duration> waits;
    // Beyond one turn of the wheel (51 s) too.
    for (int i = 0; i < 500; ++i) {
        waits.push_back(milliseconds{i * 251});
        probes.push_back(std::make_unique<probe>());
        wheel.set(*probes.back(), begin + waits.back());
    }
    for (auto at = begin; at < begin + std::chrono::seconds{130}; at += milliseconds{50}) {
        wheel.advance(at);
        for (std::size_t i = 0; i < probes.size(); ++i) {
            if (at < begin + waits[i]) REQUIRE(probes[i]->count == 0);
            if (at >= begin + waits[i] + 2 * timer_wheel::tick) REQUIRE(probes[i]->count == 1);
        }
    }
}

TEST_CASE("timer wheel: a deadline may move both ways, and go") {
    const auto begin = monotonic::now();
    timer_wheel wheel{begin};
    probe later, sooner, none;
    wheel.set(later, begin + milliseconds{500});
    wheel.set(later, begin + milliseconds{2000});
    wheel.set(sooner, begin + milliseconds{2000});
    wheel.set(sooner, begin + milliseconds{500});
    wheel.set(none, begin + milliseconds{500});
    wheel.set(none, no_deadline);
    wheel.advance(begin + milliseconds{1000});
    CHECK(later.count == 0);
    CHECK(sooner.count == 1);
    wheel.advance(begin + milliseconds{2200});
    CHECK(later.count == 1);
    CHECK(sooner.count == 1);
    CHECK(none.count == 0);
}

TEST_CASE("timer wheel: an entry may be set again or destroyed while it expires") {
    const auto begin = monotonic::now();
    timer_wheel wheel{begin};
    probe again;
    auto other = std::make_unique<probe>();
    again.then = [&] {
        other.reset();
        if (again.count < 3) wheel.set(again, begin + milliseconds{100});
    };
    wheel.set(again, begin + milliseconds{100});
    wheel.set(*other, begin + milliseconds{100});
    wheel.advance(begin + std::chrono::minutes{10});
    wheel.advance(begin + std::chrono::minutes{20});
    wheel.advance(begin + std::chrono::minutes{30});
    CHECK(again.count == 3);
}
