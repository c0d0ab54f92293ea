#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace flexcore {

void check_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "flexcore: defect at %s:%d: %s\n", file, line, expression);
    std::abort();
}

}  // namespace flexcore
