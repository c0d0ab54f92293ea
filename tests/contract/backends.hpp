// The backends under contract: a new one is one line here.
#pragma once

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace contract {

struct backend {
    std::string url;
    bool keeps;  ///< what is written is there after reopening
};

inline const std::vector<backend>& backends() {
    static const std::vector<backend> all{
        {.url = "memory:", .keeps = false},
        {.url = "sqlite:", .keeps = true},
    };
    return all;
}

/// The test case runs once for each.
inline backend each_backend() { return GENERATE(from_range(backends())); }

inline backend each_keeping_backend() {
    return GENERATE(filter([](const backend& one) { return one.keeps; }, from_range(backends())));
}

}  // namespace contract
