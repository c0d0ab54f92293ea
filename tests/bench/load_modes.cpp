#include "load_modes.hpp"

#include "cli/load_loop.hpp"
#include "cli/load_template.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::bench {
namespace {

using cli::load_connection;
using cli::monotonic_ns;

template <class T>
T sound(result<T> made) {
    if (!made) throw std::runtime_error{made.error().client};
    return std::move(*made);
}

std::string head_of(const options& how, const std::string& method, const std::string& target) {
    return method + ' ' + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + how.plan.headers;
}

struct window {
    std::uint64_t from, to;
    explicit window(const options& how)
        : from{monotonic_ns() + static_cast<std::uint64_t>(how.plan.warmup_s * 1e9)},
          to{from + static_cast<std::uint64_t>(how.plan.seconds * 1e9)} {}
    [[nodiscard]] bool holds(std::uint64_t now) const { return now >= from && now < to; }
};

void run_loop(cli::load_loop& loop, const window& times,
              std::function<result<void>(load_connection&)> ready) {
    loop.run(
        times.to,
        {std::move(ready),
         [](load_connection&, const error& why) { throw std::runtime_error{why.client}; }, nullptr},
        false);
}

}  // namespace

/// One endless NDJSON request: chunks out, lines of answers in.
tally run_bulk(const options& how) {
    struct stream {
        std::deque<std::uint64_t> sent;
        std::string line;
    };
    tally all;
    auto line = sound(cli::load_template::parse(how.words.at(2)));
    const auto to = sound(cli::resolve(how.plan.where));
    const window times{how};
    cli::load_loop loop;
    std::vector<stream> streams(how.plan.connections);
    std::uint64_t n = 0;
    std::string text;
    const auto fill = [&](load_connection& one) {
        stream& own = streams[one.index()];
        const std::uint64_t now = monotonic_ns();
        while (own.sent.size() < how.window) {
            text.clear();
            line.render(text, ++n, one.index());
            std::array<char, 32> size{};
            one.out.append(size.data(), static_cast<std::size_t>(std::snprintf(
                                            size.data(), size.size(), "%zx\r\n", text.size() + 1)));
            one.out += text;
            one.out += "\n\r\n";
            own.sent.push_back(now);
        }
        loop.flush(one);
    };
    for (std::size_t index = 0; index < how.plan.connections; ++index) {
        load_connection& one = loop.add(sound(load_connection::open(to, index)));
        one.out = head_of(how, "POST", how.words.at(1)) +
                  "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
        fill(one);
    }
    run_loop(loop, times, [&](load_connection& one) {
        stream& own = streams[one.index()];
        return one.receive(
            [&](std::string_view body) {
                own.line.append(body);
                const std::uint64_t now = monotonic_ns();
                std::size_t begin = 0;
                for (std::size_t end = 0; (end = own.line.find('\n', begin)) != std::string::npos;
                     begin = end + 1) {
                    const std::string_view answer{own.line.data() + begin, end - begin};
                    if (answer.find("\"last_version\"") == std::string_view::npos)
                        ++all.sum.errors["a line was refused"];
                    else if (times.holds(now))
                        all.sum.latency.add(now - own.sent.front());
                    own.sent.pop_front();
                }
                own.line.erase(0, begin);
                if (own.sent.size() <= how.window / 2) fill(one);
            },
            [&](int status) {
                throw std::runtime_error{"the bulk request ended with status " +
                                         std::to_string(status)};
            });
    });
    all.items = all.sum.latency.count();
    return all;
}

/// Each connection walks the whole log, again and again; items are positions passed.
tally run_pages(const options& how) {
    struct walk {
        std::string tail;      // the last bytes of the body: "next" stands at its end
        std::uint64_t at = 0;  // the cursor, a position on an unsharded store
    };
    constexpr std::size_t tail_max = 256;
    tally all;
    const auto to = sound(cli::resolve(how.plan.where));
    const window times{how};
    cli::load_loop loop;
    std::vector<walk> walks(how.plan.connections);
    const auto send = [&](load_connection& one) {
        one.out =
            head_of(how, "GET", how.words.at(1) + std::to_string(walks[one.index()].at)) + "\r\n";
        one.sent_ns = monotonic_ns();
        loop.flush(one);
    };
    for (std::size_t index = 0; index < how.plan.connections; ++index)
        send(loop.add(sound(load_connection::open(to, index))));
    run_loop(loop, times, [&](load_connection& one) {
        walk& own = walks[one.index()];
        return one.receive(
            [&](std::string_view body) {
                all.sum.bytes += body.size();
                own.tail.append(body.substr(body.size() - std::min(body.size(), tail_max)));
                if (own.tail.size() > tail_max) own.tail.erase(0, own.tail.size() - tail_max);
            },
            [&](int status) {
                const std::uint64_t now = monotonic_ns();
                if (status >= 400) ++all.sum.errors["status " + std::to_string(status)];
                std::uint64_t next = 0;  // null: from the start again
                const auto mark = own.tail.rfind("\"next\":");
                if (mark != std::string::npos) {
                    auto text = std::string_view{own.tail}.substr(mark + 7);
                    text.remove_prefix(std::min(text.find_first_of("0123456789n"), text.size()));
                    std::from_chars(text.data(), text.data() + text.size(), next);
                }
                if (times.holds(now)) {
                    all.sum.latency.add(now - one.sent_ns);
                    if (next > own.at) all.items += next - own.at;
                }
                own.at = next;
                own.tail.clear();
                send(one);
            });
    });
    return all;
}

}  // namespace flexcore::bench
