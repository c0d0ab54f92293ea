// The kinds of load, and what they are told and find out.
#pragma once

#include "load_histogram.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace flexcore::bench {

inline constexpr std::uint64_t second_ns = 1'000'000'000;

struct options {
    std::uint16_t port = 0;
    std::size_t connections = 64;
    double seconds = 5, warmup = 1, rate = 0;
    std::size_t window = 32;
    std::string type = "application/json";
    std::string headers;
    std::vector<std::string> words;
};

struct tally {
    histogram latency;
    std::uint64_t errors = 0, items = 0, bytes = 0;
    std::string first_error;
    std::uint64_t measured_from = 0, measured_to = 0;

    [[nodiscard]] bool counts(std::uint64_t now) const {
        return now >= measured_from && now < measured_to;
    }
    void error(int status) {
        if (errors++ == 0) first_error = "status " + std::to_string(status);
    }
    void print(double seconds) const {
        std::printf(
            "{\"count\":%llu,\"per_s\":%.1f,\"items_per_s\":%.1f,\"bytes_per_s\":%.0f,\"errors\":%"
            "llu,\"first_error\":\"%s\","
            "\"p50_us\":%.1f,\"p95_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
            static_cast<unsigned long long>(latency.count()),
            static_cast<double>(latency.count()) / seconds, static_cast<double>(items) / seconds,
            static_cast<double>(bytes) / seconds, static_cast<unsigned long long>(errors),
            first_error.c_str(), latency.part_us(0.50), latency.part_us(0.95),
            latency.part_us(0.99), latency.max_us());
    }
};

/// Each runs until `measured_to`, and counts what was answered from `measured_from` on. How: see
/// load.cpp.
void run_requests(const options&, tally&);
void run_bulk(const options&, tally&);
void run_pages(const options&, tally&);
void run_sse(const options&, tally&);

}  // namespace flexcore::bench
