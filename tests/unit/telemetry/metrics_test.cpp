#include "telemetry/metrics.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <thread>

using namespace flexcore::telemetry;
using Catch::Matchers::Contains;

TEST_CASE("metrics: the same name and labels give the same series") {
    metrics m;
    counter& a = m.counter_for("flexcore_commands_total", "Commands.", {{"type", "a"}});
    counter& again = m.counter_for("flexcore_commands_total", "Commands.", {{"type", "a"}});
    counter& b = m.counter_for("flexcore_commands_total", "Commands.", {{"type", "b"}});
    CHECK(&a == &again);
    CHECK(&a != &b);
    a.add();
    a.add(2);
    CHECK(a.value() == 3);
    CHECK(b.value() == 0);
}

TEST_CASE("metrics: counters, gauges and histograms in the Prometheus text format") {
    metrics m;
    m.counter_for("flexcore_appends_total", "Appends.", {{"store", "a\"b\n"}}).add(5);
    gauge& waiting = m.gauge_for("flexcore_waiting", "Waiting.");
    waiting.set(4);
    waiting.add(-1.5);
    CHECK(waiting.value() == 2.5);
    histogram& seconds = m.histogram_for("flexcore_append_seconds", "Time.", {0.1, 1});
    seconds.observe(0.05);
    seconds.observe(0.5);
    seconds.observe(7);
    const std::string text = m.text();
    CHECK_THAT(text, Contains("# HELP flexcore_appends_total Appends.\n"
                              "# TYPE flexcore_appends_total counter\n"
                              "flexcore_appends_total{store=\"a\\\"b\\n\"} 5\n"));
    CHECK_THAT(text, Contains("# TYPE flexcore_waiting gauge\nflexcore_waiting 2.5\n"));
    CHECK_THAT(text, Contains("flexcore_append_seconds_bucket{le=\"0.1\"} 1\n"));
    CHECK_THAT(text, Contains("flexcore_append_seconds_bucket{le=\"1\"} 2\n"));
    CHECK_THAT(text, Contains("flexcore_append_seconds_bucket{le=\"+Inf\"} 3\n"));
    CHECK_THAT(text, Contains("flexcore_append_seconds_count 3\n"));
}

TEST_CASE("metrics: gauge_from is read when scraped, the same series again replaces the reader") {
    metrics m;
    double value = 1;
    m.gauge_from("flexcore_lag", "Lag.", {{"projection", "a"}}, [&] { return value; });
    m.gauge_from("flexcore_lag", "Lag.", {{"projection", "b"}}, [] { return 8.0; });
    value = 2;
    CHECK_THAT(m.text(), Contains("# TYPE flexcore_lag gauge\n"
                                  "flexcore_lag{projection=\"a\"} 2\n"
                                  "flexcore_lag{projection=\"b\"} 8\n"));
    m.gauge_from("flexcore_lag", "Lag.", {{"projection", "b"}}, [] { return 9.0; });
    const std::string text = m.text();
    CHECK_THAT(text, Contains("flexcore_lag{projection=\"b\"} 9\n"));
    CHECK_THAT(text, !Contains("} 8\n"));
}

TEST_CASE("metrics: a reader may look up a series of its own") {
    metrics m;
    m.gauge_from("flexcore_a", "A.", {},
                 [&] { return m.counter_for("flexcore_b_total", "B.").value(); });
    CHECK_THAT(m.text(), Contains("flexcore_a 0\n"));
}

TEST_CASE("metrics: nothing recorded on many threads is lost, also while being scraped") {
    metrics m;
    constexpr int threads = 4;
    constexpr int each = 10'000;
    {
        std::vector<std::jthread> running;
        for (int t = 0; t < threads; ++t)
            running.emplace_back([&] {
                for (int i = 0; i < each; ++i) {
                    m.counter_for("flexcore_n_total", "N.", {{"i", std::to_string(i % 7)}}).add();
                    m.histogram_for("flexcore_s_seconds", "S.", latency_bounds()).observe(1e-3);
                }
            });
        for (int i = 0; i < 20; ++i) (void)m.text();
    }
    double sum = 0;
    for (int i = 0; i < 7; ++i)
        sum += m.counter_for("flexcore_n_total", "N.", {{"i", std::to_string(i)}}).value();
    CHECK(sum == threads * each);
    CHECK_THAT(m.text(), Contains("flexcore_s_seconds_count 40000\n"));
}

TEST_CASE("latency_bounds: ascend from 50 microseconds to 10 seconds") {
    CHECK(std::ranges::is_sorted(latency_bounds()));
    CHECK(latency_bounds().front() == 50e-6);
    CHECK(latency_bounds().back() == 10);
}

namespace {

/// True when `misuse` ends the process (tried in a forked copy of it).
template <class Misuse>
bool is_a_defect(Misuse misuse) {
    const pid_t copy = ::fork();
    REQUIRE(copy >= 0);
    if (copy == 0) {
        ::signal(SIGABRT, SIG_DFL);
        ::close(STDERR_FILENO);
        metrics m;
        m.counter_for("flexcore_x_total", "X.");
        misuse(m);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(copy, &status, 0) == copy);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("metrics: a name used again with another kind or help, or a bad one, is a defect") {
    CHECK_FALSE(is_a_defect([](metrics& m) { m.counter_for("flexcore_x_total", "X."); }));
    CHECK(is_a_defect([](metrics& m) { m.counter_for("flexcore_x_total", "Other."); }));
    CHECK(is_a_defect([](metrics& m) { m.gauge_for("flexcore_x_total", "X."); }));
    CHECK(is_a_defect(
        [](metrics& m) { m.gauge_from("flexcore_x_total", "X.", {}, [] { return 0.0; }); }));
    CHECK(is_a_defect([](metrics& m) { m.gauge_for("no good", "X."); }));
    CHECK(is_a_defect([](metrics& m) { m.gauge_for("flexcore_y", "Y.", {{"no good", "1"}}); }));
}
