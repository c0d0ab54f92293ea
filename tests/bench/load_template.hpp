// Requests made from a text with marks, cheaply enough that the load generator is not what is
// measured.
//
// Marks: $(n) counts requests over all connections, $(c) is the connection, $(t) CLOCK_MONOTONIC in
// nanoseconds,
//        $(u4) a random UUID, $(u7) a time-ordered one, $(rN) a random number below N, $(mN) is n
//        modulo N.
// Threads: one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <time.h>

namespace flexcore::bench {

inline std::uint64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

class request_template {
public:
    explicit request_template(std::string_view text) {
        while (!text.empty()) {
            const auto begin = text.find("$(");
            const auto end = begin == std::string_view::npos ? begin : text.find(')', begin);
            pieces_.push_back({'=', 0, std::string{text.substr(0, begin)}});
            if (end == std::string_view::npos) return;
            add_mark(text.substr(begin + 2, end - begin - 2));
            text.remove_prefix(end + 1);
        }
    }

    /// Appends one request.
    void render(std::string& out, std::uint64_t n, std::uint64_t connection) {
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

private:
    struct piece {
        char kind;
        std::uint64_t number;
        std::string text;
    };

    void add_mark(std::string_view mark) {
        if (mark == "u4" || mark == "u7") {
            pieces_.push_back({mark[1], 0, {}});
        } else if (mark == "n" || mark == "c" || mark == "t") {
            pieces_.push_back({mark[0], 0, {}});
        } else if (mark.size() > 1 && (mark[0] == 'r' || mark[0] == 'm')) {
            pieces_.push_back({mark[0], std::stoull(std::string{mark.substr(1)}), {}});
        } else {
            throw std::runtime_error{"unknown mark $(" + std::string{mark} + ")"};
        }
    }

    /// 48 bits of milliseconds, then a counter: grows at its end like the ids the server makes.
    std::uint64_t ordered() {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        const auto ms = static_cast<std::uint64_t>(now.tv_sec) * 1000U +
                        static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000U;
        return (ms << 16U) | (counter_++ & 0xffffU);
    }

    void uuid(std::string& out, std::uint64_t high) {
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

    std::vector<piece> pieces_;
    std::mt19937_64 random_{std::random_device{}()};
    std::uint64_t counter_ = 0;
};

}  // namespace flexcore::bench
