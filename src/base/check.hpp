// FLEXCORE_CHECK: asserts what cannot happen, in release builds too.
// On failure: one line on standard error with place and text, then abort().
#pragma once

namespace flexcore {
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
}

#define FLEXCORE_CHECK(expression) \
    ((expression) ? void(0) : ::flexcore::check_failed(#expression, __FILE__, __LINE__))
