#include "cli/load_template.hpp"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace flexcore::cli {

std::uint64_t monotonic_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

result<load_template> load_template::parse(std::string_view text) {
    load_template made;
    while (!text.empty()) {
        const auto begin = text.find("$(");
        const auto end = begin == std::string_view::npos ? begin : text.find(')', begin);
        if (end == std::string_view::npos) {
            made.pieces_.push_back({'=', 0, std::string{text}});
            break;
        }
        if (begin != 0) made.pieces_.push_back({'=', 0, std::string{text.substr(0, begin)}});
        const std::string_view mark = text.substr(begin + 2, end - begin - 2);
        if (!made.add_mark(mark))
            return fail(base_errc::invalid_argument, fmt::format("unknown mark $({})", mark));
        text.remove_prefix(end + 1);
    }
    return made;
}

bool load_template::add_mark(std::string_view mark) {
    if (mark == "u4" || mark == "u7") {
        pieces_.push_back({mark[1], 0, {}});
        return true;
    }
    if (mark == "n" || mark == "c" || mark == "t") {
        pieces_.push_back({mark[0], 0, {}});
        return true;
    }
    if (mark.size() < 2 || (mark[0] != 'r' && mark[0] != 'm')) return false;
    std::uint64_t number = 0;
    const char* const last = mark.data() + mark.size();
    const auto [end, ec] = std::from_chars(mark.data() + 1, last, number);
    if (ec != std::errc{} || end != last || number == 0) return false;
    pieces_.push_back({mark[0], number, {}});
    return true;
}

void load_template::render(std::string& out, std::uint64_t n, std::uint64_t connection) {
    for (const piece& one : pieces_) {
        switch (one.kind) {
            case '=':
                out += one.text;
                break;
            case 'n':
                out += std::to_string(n);
                break;
            case 'c':
                out += std::to_string(connection);
                break;
            case 't':
                out += std::to_string(monotonic_ns());
                break;
            case 'r':
                out += std::to_string(random_() % one.number);
                break;
            case 'm':
                out += std::to_string(n % one.number);
                break;
            case '4':
                uuid(out, random_());
                break;
            default:
                uuid(out, ordered());
                break;
        }
    }
}

/// 48 bits of milliseconds, then a counter: grows at its end like the ids the server makes.
std::uint64_t load_template::ordered() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto ms = static_cast<std::uint64_t>(now.tv_sec) * 1000U +
                    static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
    return (ms << 16U) | (counter_++ & 0xffffU);
}

void load_template::uuid(std::string& out, std::uint64_t high) {
    static constexpr char digits[] = "0123456789abcdef";
    const std::uint64_t low = random_();
    char text[36];
    std::size_t nibble = 0;
    for (std::size_t at = 0; at < sizeof text; ++at) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            text[at] = '-';
            continue;
        }
        const std::uint64_t word = nibble < 16 ? high : low;
        text[at] = digits[(word >> (60U - 4U * (nibble % 16))) & 0xfU];
        ++nibble;
    }
    text[14] = '7';
    text[19] = 'a';
    out.append(text, sizeof text);
}

}  // namespace flexcore::cli
