#include "plugin/loading/memory_map.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>

namespace flexcore::plugin {
namespace {

std::uintptr_t address(const void* pointer) noexcept {
    return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace

result<memory_map> memory_map::now() {
    std::ifstream maps{"/proc/self/maps"};
    if (!maps) return fail(base_errc::io, "the memory map cannot be read", "/proc/self/maps");
    memory_map map;
    for (std::string line; std::getline(maps, line);) {
        // 7f0c2a000000-7f0c2a021000 rw-p 00000000 00:00 0
        range at{};
        const char* const end = line.data() + line.size();
        const auto first = std::from_chars(line.data(), end, at.begin, 16);
        if (first.ec != std::errc{} || first.ptr == end) continue;
        const auto second = std::from_chars(first.ptr + 1, end, at.end, 16);
        if (second.ec != std::errc{} || end - second.ptr < 5) continue;
        at.readable = second.ptr[1] == 'r';
        at.executable = second.ptr[3] == 'x';
        map.ranges_.push_back(at);
    }
    return map;
}

std::size_t memory_map::readable_from(std::uintptr_t at, std::size_t wanted) const noexcept {
    auto found = std::ranges::upper_bound(ranges_, at, {}, &range::begin);
    if (found == ranges_.begin()) return 0;
    --found;
    std::uintptr_t reached = at;
    while (found != ranges_.end() && found->readable && found->begin <= reached &&
           reached < found->end && reached - at < wanted) {
        reached = found->end;
        ++found;
    }
    return std::min<std::size_t>(reached - at, wanted);
}

bool memory_map::readable(const void* pointer, std::size_t bytes) const noexcept {
    return pointer != nullptr && readable_from(address(pointer), bytes) == bytes;
}

bool memory_map::executable(const void* pointer) const noexcept {
    auto found = std::ranges::upper_bound(ranges_, address(pointer), {}, &range::begin);
    if (found == ranges_.begin()) return false;
    --found;
    return found->executable && address(pointer) < found->end;
}

std::optional<std::string_view> memory_map::text(const char* pointer,
                                                 std::size_t bytes_max) const noexcept {
    if (pointer == nullptr) return std::nullopt;
    const std::size_t room = readable_from(address(pointer), bytes_max + 1);
    const std::size_t size = strnlen(pointer, room);
    if (size == room) return std::nullopt;
    return std::string_view{pointer, size};
}

}  // namespace flexcore::plugin
