// Requests made from a text with marks, cheaply enough that the load generator is not what is
// measured.
//
// Marks:   $(n) counts requests over all connections, $(c) is the connection, $(t) CLOCK_MONOTONIC
//          in nanoseconds, $(u4) a random UUID, $(u7) a time-ordered one, $(rN) a random number
//          below N, $(mN) is n modulo N.
// Threads: one.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::cli {

/// CLOCK_MONOTONIC: what $(t) writes.
[[nodiscard]] std::uint64_t monotonic_ns() noexcept;

class load_template {
public:
    /// Errors: base_errc::invalid_argument, a mark that nobody knows.
    [[nodiscard]] static result<load_template> parse(std::string_view text);

    /// Appends one request.
    void render(std::string& out, std::uint64_t n, std::uint64_t connection);
    [[nodiscard]] bool empty() const noexcept { return pieces_.empty(); }

private:
    struct piece {
        char kind;
        std::uint64_t number;
        std::string text;
    };
    load_template() = default;
    bool add_mark(std::string_view mark);
    std::uint64_t ordered();
    void uuid(std::string& out, std::uint64_t high);

    std::vector<piece> pieces_;
    std::mt19937_64 random_{std::random_device{}()};
    std::uint64_t counter_ = 0;
};

}  // namespace flexcore::cli
