#include "load_modes.hpp"

#include "load_connection.hpp"
#include "load_template.hpp"

#include <sys/epoll.h>
#include <unistd.h>

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

constexpr std::size_t appenders = 16;

std::string request_text(const options& how, const std::string& method, const std::string& target) {
    return method + ' ' + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + how.headers;
}

/// Readiness of all connections; the handlers are per connection.
class loop {
public:
    loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {}
    ~loop() { ::close(epoll_); }
    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;

    connection& add(std::unique_ptr<connection> one) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = one.get();
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one->fd(), &event);
        all_.push_back(std::move(one));
        return *all_.back();
    }
    /// Sends; asks for readiness to write when the kernel does not take all.
    void flush(connection& one) { watch(one, !one.flush()); }
    /// Runs `ready` for each connection with something to read, until `end_ns`; `tick` after each
    /// round.
    void run(std::uint64_t end_ns, const std::function<void(connection&)>& ready,
             const std::function<void()>& tick, bool busy) {
        std::array<epoll_event, 128> events{};
        while (monotonic_ns() < end_ns) {
            // At a given rate the next request may be due in microseconds.
            const int n = ::epoll_wait(epoll_, events.data(), events.size(), busy ? 1 : 20);
            for (int at = 0; at < n; ++at) {
                auto& one =
                    *static_cast<connection*>(events[static_cast<std::size_t>(at)].data.ptr);
                const auto what = events[static_cast<std::size_t>(at)].events;
                if ((what & EPOLLOUT) != 0) flush(one);
                if ((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ready(one);
            }
            if (tick) tick();
        }
    }

private:
    void watch(const connection& one, bool writing) const {
        epoll_event event{};
        event.events = EPOLLIN | (writing ? EPOLLOUT : 0U);
        event.data.ptr = const_cast<connection*>(&one);
        if (writing || writing_) ::epoll_ctl(epoll_, EPOLL_CTL_MOD, one.fd(), &event);
        writing_ = writing_ || writing;
    }
    int epoll_;
    mutable bool writing_ = false;  // nobody had to wait yet: spares a system call per request
    std::vector<std::unique_ptr<connection>> all_;
};

/// Renders head, length and body of one request.
class request_maker {
public:
    request_maker(const options& how, const std::string& method, const std::string& target,
                  const std::string& body)
        : head_{request_text(how, method, target) +
                (body.empty() ? "\r\n" : "Content-Type: " + how.type + "\r\nContent-Length: ")},
          body_{body},
          has_body_{!body.empty()} {}
    void render(std::string& out, std::size_t index) {
        ++n_;
        head_.render(out, n_, index);
        if (!has_body_) return;
        text_.clear();
        body_.render(text_, n_, index);
        out += std::to_string(text_.size());
        out += "\r\n\r\n";
        out += text_;
    }

private:
    request_template head_, body_;
    bool has_body_;
    std::string text_;
    std::uint64_t n_ = 0;
};

/// Requests that are due at a rate: hands each due time to an idle connection.
class pacer {
public:
    pacer(double rate, std::uint64_t begin_ns)
        : interval_{static_cast<double>(second_ns) / rate}, begin_{begin_ns} {}
    void idle(connection& one) { idle_.push_back(&one); }
    template <class Send>
    void send_due(const Send& send) {
        const std::uint64_t now = monotonic_ns();
        while (!idle_.empty()) {
            const auto due =
                begin_ + static_cast<std::uint64_t>(static_cast<double>(given_) * interval_);
            if (due > now) return;
            ++given_;
            connection* one = idle_.front();
            idle_.pop_front();
            send(*one, due);
        }
    }

private:
    double interval_;
    std::uint64_t begin_;
    std::uint64_t given_ = 0;
    std::deque<connection*> idle_;
};

}  // namespace

void run_requests(const options& how, tally& sum) {
    request_maker maker{how, how.words.at(1), how.words.at(2),
                        how.words.size() > 3 ? how.words[3] : ""};
    loop all;
    pacer pace{how.rate > 0 ? how.rate : 1, monotonic_ns()};
    const auto send = [&](connection& one, std::uint64_t since) {
        maker.render(one.out, one.index());
        one.sent_ns = since;
        all.flush(one);
    };
    for (std::size_t index = 0; index < how.connections; ++index) {
        connection& one = all.add(std::make_unique<connection>(how.port, index));
        if (how.rate > 0)
            pace.idle(one);
        else
            send(one, monotonic_ns());
    }
    const auto ready = [&](connection& one) {
        one.receive([&](std::string_view body) { sum.bytes += body.size(); },
                    [&](int status) {
                        const std::uint64_t now = monotonic_ns();
                        if (status >= 400)
                            sum.error(status);
                        else if (sum.counts(now))
                            sum.latency.add(now - one.sent_ns);
                        if (how.rate > 0)
                            pace.idle(one);
                        else
                            send(one, now);
                    });
    };
    const auto tick = [&] { pace.send_due(send); };
    all.run(sum.measured_to, ready, how.rate > 0 ? std::function<void()>{tick} : nullptr,
            how.rate > 0);
    sum.items = sum.latency.count();
}

/// One endless NDJSON request: chunks out, lines of answers in.
void run_bulk(const options& how, tally& sum) {
    struct stream {
        std::deque<std::uint64_t> sent;
        std::string line;
    };
    request_template line{how.words.at(2)};
    loop all;
    std::vector<stream> streams(how.connections);
    std::uint64_t n = 0;
    std::string text;
    const auto fill = [&](connection& one) {
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
        all.flush(one);
    };
    for (std::size_t index = 0; index < how.connections; ++index) {
        connection& one = all.add(std::make_unique<connection>(how.port, index));
        one.out = request_text(how, "POST", how.words.at(1)) +
                  "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
        fill(one);
    }
    const auto ready = [&](connection& one) {
        stream& own = streams[one.index()];
        one.receive(
            [&](std::string_view body) {
                own.line.append(body);
                const std::uint64_t now = monotonic_ns();
                std::size_t begin = 0;
                for (std::size_t end = 0; (end = own.line.find('\n', begin)) != std::string::npos;
                     begin = end + 1) {
                    const std::string_view answer{own.line.data() + begin, end - begin};
                    if (answer.find("\"last_version\"") == std::string_view::npos) {
                        if (sum.errors++ == 0) sum.first_error = "a line was refused";
                    } else if (sum.counts(now)) {
                        sum.latency.add(now - own.sent.front());
                    }
                    own.sent.pop_front();
                }
                own.line.erase(0, begin);
                if (own.sent.size() <= how.window / 2) fill(one);
            },
            [&](int status) {
                throw std::runtime_error{"the bulk request ended with status " +
                                         std::to_string(status)};
            });
    };
    all.run(sum.measured_to, ready, nullptr, false);
    sum.items = sum.latency.count();
}

/// Each connection walks the whole log, again and again; items are positions passed.
void run_pages(const options& how, tally& sum) {
    struct walk {
        std::string tail;      // the last bytes of the body: "next" stands at its end
        std::uint64_t at = 0;  // the cursor, a position on an unsharded store
    };
    constexpr std::size_t tail_max = 256;
    loop all;
    std::vector<walk> walks(how.connections);
    const auto send = [&](connection& one) {
        one.out +=
            request_text(how, "GET", how.words.at(1) + std::to_string(walks[one.index()].at)) +
            "\r\n";
        one.sent_ns = monotonic_ns();
        all.flush(one);
    };
    for (std::size_t index = 0; index < how.connections; ++index)
        send(all.add(std::make_unique<connection>(how.port, index)));
    const auto ready = [&](connection& one) {
        walk& own = walks[one.index()];
        one.receive(
            [&](std::string_view body) {
                sum.bytes += body.size();
                own.tail.append(body.substr(body.size() - std::min(body.size(), tail_max)));
                if (own.tail.size() > tail_max) own.tail.erase(0, own.tail.size() - tail_max);
            },
            [&](int status) {
                const std::uint64_t now = monotonic_ns();
                if (status >= 400) sum.error(status);
                std::uint64_t next = 0;  // null: from the start again
                const auto mark = own.tail.rfind("\"next\":");
                if (mark != std::string::npos) {
                    auto text = std::string_view{own.tail}.substr(mark + 7);
                    text.remove_prefix(std::min(text.find_first_of("0123456789n"), text.size()));
                    std::from_chars(text.data(), text.data() + text.size(), next);
                }
                if (sum.counts(now)) {
                    sum.latency.add(now - one.sent_ns);
                    if (next > own.at) sum.items += next - own.at;
                }
                own.at = next;
                own.tail.clear();
                send(one);
            });
    };
    all.run(sum.measured_to, ready, nullptr, false);
}

void run_sse(const options& how, tally& sum) {
    request_maker maker{how, "POST", how.words.at(2), how.words.at(3)};
    loop all;
    pacer pace{how.rate, monotonic_ns()};
    std::vector<std::string> lines(how.connections);
    for (std::size_t index = 0; index < how.connections; ++index) {
        connection& one = all.add(std::make_unique<connection>(how.port, index));
        one.out = request_text(how, "GET", how.words.at(1)) + "\r\n";
        all.flush(one);
    }
    for (std::size_t index = 0; index < appenders; ++index)
        pace.idle(all.add(std::make_unique<connection>(how.port, how.connections + index)));
    const auto ready = [&](connection& one) {
        if (one.index() >= how.connections) {
            one.receive(nullptr, [&](int status) {
                if (status >= 400) sum.error(status);
                ++sum.items;
                pace.idle(one);
            });
            return;
        }
        std::string& line = lines[one.index()];
        one.receive(
            [&](std::string_view body) {
                line.append(body);
                const std::uint64_t now = monotonic_ns();
                std::size_t begin = 0;
                for (std::size_t end = 0; (end = line.find('\n', begin)) != std::string::npos;
                     begin = end + 1) {
                    const std::string_view text{line.data() + begin, end - begin};
                    const auto mark = text.find("\"t\":");
                    if (!text.starts_with("data:") || mark == std::string_view::npos) continue;
                    std::uint64_t sent = 0;
                    std::from_chars(text.data() + mark + 4, text.data() + text.size(), sent);
                    if (sum.counts(now)) sum.latency.add(now - sent);
                }
                line.erase(0, begin);
            },
            [&](int status) {
                throw std::runtime_error{"the event stream ended with status " +
                                         std::to_string(status)};
            });
    };
    const auto send = [&](connection& one, std::uint64_t) {
        maker.render(one.out, one.index());
        all.flush(one);
    };
    all.run(sum.measured_to, ready, [&] { pace.send_due(send); }, true);
}

}  // namespace flexcore::bench
