#include "contract/backends.hpp"

#include <catch2/catch.hpp>

namespace contract {

const std::vector<backend>& backends() {
    static const std::vector<backend> all{
        {.url = "memory:", .keeps = false},
        {.url = "sqlite:", .keeps = true},
        {.url = "postgresql:", .keeps = true, .remote = true},
    };
    return all;
}

backend each_backend() { return GENERATE(from_range(backends())); }

backend each_keeping_backend() {
    return GENERATE(filter([](const backend& one) { return one.keeps; }, from_range(backends())));
}

}  // namespace contract
