#include "base/arena.hpp"

#include <cstring>

namespace flexcore {

char* bytes_arena::allocate(std::size_t size) {
    used_ += size;
    return static_cast<char*>(resource_.allocate(size, 1));
}

std::string_view bytes_arena::keep(std::string_view text) {
    if (text.empty()) return {};
    char* copy = allocate(text.size());
    std::memcpy(copy, text.data(), text.size());
    return {copy, text.size()};
}

}  // namespace flexcore
