#include "cli/load_run.hpp"

#include "cli/http_client.hpp"
#include "cli/load_loop.hpp"
#include "cli/load_requests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace flexcore::cli {
namespace {

constexpr std::size_t problem_bytes_max = 4'096;
// More than these broken connections on end, without an answer, and it is not made again.
constexpr std::uint64_t broken_max = 10;

/// The value of a member that holds a plain text; enough for a problem's code and reason.
std::string_view text_in(std::string_view problem, std::string_view member) {
    const std::string mark = fmt::format("\"{}\":\"", member);
    const std::size_t at = problem.find(mark);
    if (at == std::string_view::npos) return {};
    problem.remove_prefix(at + mark.size());
    return problem.substr(0, problem.find('"'));
}

std::string name_of_refusal(int status, std::string_view problem) {
    if (const auto reason = text_in(problem, "reason"); !reason.empty()) return std::string{reason};
    if (const auto code = text_in(problem, "code"); !code.empty()) return std::string{code};
    return fmt::format("status_{}", status);
}

struct window {
    std::uint64_t from = 0, to = 0;

    explicit window(const load_plan& plan) {
        const auto ns = [](double s) {
            return static_cast<std::uint64_t>(s * static_cast<double>(second_ns));
        };
        from = monotonic_ns() + ns(plan.warmup_s);
        to = from + ns(plan.seconds);
    }
    [[nodiscard]] bool holds(std::uint64_t now) const { return now >= from && now < to; }
    [[nodiscard]] double seconds_until_now() const {
        const std::uint64_t end = std::min(monotonic_ns(), to);
        return end <= from ? 0 : static_cast<double>(end - from) / static_cast<double>(second_ns);
    }
};

/// What one connection knows of the answer that comes in.
struct in_flight {
    std::string problem;
    std::uint64_t broken = 0;   // on end
    std::uint64_t sent_ns = 0;  // its request, which may have been due before
};

/// The connections of one thread.
class requester {
public:
    /// `rate` is this thread's share.
    requester(const load_plan& plan, const load_address& to, load_requests requests, window times,
              const load_watch& on, double rate)
        : plan_{plan},
          to_{to},
          requests_{std::move(requests)},
          times_{times},
          on_{on},
          pace_{rate > 0 ? rate : 1, monotonic_ns()} {}

    /// Errors: cli_errc::unreachable when there is not one connection.
    result<void> connect(std::size_t count) {
        answers_.resize(count);
        for (std::size_t index = 0; index < count; ++index) {
            auto made = load_connection::open(to_, index);
            if (made)
                start(loop_.add(std::move(*made)));
            else if (index == 0)
                return fail(std::move(made.error()));
            else
                ++tally.errors[std::string{name_of(made.error().code)}];
        }
        return {};
    }

    void run() {
        loop_.run(times_.to,
                  {[this](load_connection& one) { return read(one); },
                   [this](load_connection& one, const error& why) { lost(one, why); },
                   [this] {
                       if (plan_.rate > 0)
                           pace_.send_due(
                               [this](load_connection& one, std::uint64_t due) { send(one, due); });
                       return on_.go_on();
                   }},
                  plan_.rate > 0);
        tally.seconds = times_.seconds_until_now();
    }

    load_tally tally;

private:
    void start(load_connection& one) {
        if (plan_.rate > 0)
            pace_.idle(one);
        else
            send(one, monotonic_ns());
    }
    void send(load_connection& one, std::uint64_t since) {
        requests_.render(one.out, one.index());
        one.sent_ns = since;
        answers_[one.index()].sent_ns = monotonic_ns();
        loop_.flush(one);
    }
    result<void> read(load_connection& one) {
        in_flight& own = answers_[one.index()];
        return one.receive(
            [&](std::string_view body) {
                tally.bytes += body.size();
                if (one.status() >= 400 && own.problem.size() < problem_bytes_max)
                    own.problem.append(body);
            },
            [&](int status) {
                const std::uint64_t now = monotonic_ns();
                if (status >= 400) {
                    ++tally.errors[name_of_refusal(status, own.problem)];
                    if (times_.holds(now)) tally.refusals.add(now - own.sent_ns);
                } else if (times_.holds(now)) {
                    tally.latency.add(now - one.sent_ns);
                }
                own.problem.clear();
                own.broken = 0;
                if (on_.answered != nullptr) ++*on_.answered;
                start(one);
            });
    }
    void lost(load_connection& one, const error& why) {
        in_flight& own = answers_[one.index()];
        ++tally.errors[std::string{name_of(why.code)}];
        own.problem.clear();
        pace_.forget(one);
        auto again = ++own.broken > broken_max
                         ? result<std::unique_ptr<load_connection>>{std::unexpect, why}
                         : load_connection::open(to_, one.index());
        if (again)
            start(loop_.replace(std::move(*again)));
        else
            loop_.drop(one.index());
    }

    const load_plan& plan_;
    const load_address& to_;
    load_requests requests_;
    window times_;
    const load_watch& on_;
    load_loop loop_;
    load_pacer pace_;
    std::vector<in_flight> answers_;
};

/// The lines of an event stream; gives the time that each event carries.
template <class Take>
void take_events(std::string& line, std::string_view body, const Take& take) {
    line.append(body);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = line.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        const std::string_view text{line.data() + begin, end - begin};
        const auto mark = text.find("\"t\":");
        if (!text.starts_with("data:") || mark == std::string_view::npos) continue;
        std::uint64_t sent = 0;
        std::from_chars(text.data() + mark + 4, text.data() + text.size(), sent);
        if (sent != 0) take(sent);
    }
    line.erase(0, begin);
}

}  // namespace

void load_tally::add(const load_tally& other) {
    latency.add(other.latency);
    refusals.add(other.refusals);
    bytes += other.bytes;
    for (const auto& [name, count] : other.errors) errors[name] += count;
    seconds = std::max(seconds, other.seconds);
}

std::uint64_t load_tally::error_count() const {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : errors) sum += count;
    return sum;
}

result<load_requests> load_requests::of(const load_plan& plan, std::uint64_t first,
                                        std::uint64_t step) {
    std::string text =
        fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\n{}", plan.method, plan.where.base, plan.target,
                    plan.where.authority(), plan.headers);
    text += plan.body.empty()
                ? std::string{"\r\n"}
                : fmt::format("Content-Type: {}\r\nContent-Length: ", plan.content_type);
    auto head = load_template::parse(text);
    if (!head) return fail(std::move(head.error()));
    auto body = load_template::parse(plan.body);
    if (!body) return fail(std::move(body.error()));
    return load_requests{std::move(*head), std::move(*body), first, step};
}

void load_requests::render(std::string& out, std::size_t index) {
    head_.render(out, n_, index);
    if (!body_.empty()) {
        text_.clear();
        body_.render(text_, n_, index);
        out += std::to_string(text_.size());
        out += "\r\n\r\n";
        out += text_;
    }
    n_ += step_;
}

result<load_tally> run_load(const load_plan& plan, const load_watch& on) {
    const auto to = resolve(plan.where);
    if (!to) return fail(to.error());
    const std::size_t count = std::clamp<std::size_t>(plan.threads, 1, plan.connections);
    const window times{plan};
    std::vector<std::unique_ptr<requester>> parts;
    for (std::size_t i = 0; i < count; ++i) {
        auto requests = load_requests::of(plan, i + 1, count);
        if (!requests) return fail(std::move(requests.error()));
        const std::size_t share = plan.connections / count + (i < plan.connections % count ? 1 : 0);
        auto part = std::make_unique<requester>(
            plan, *to, std::move(*requests), times, on,
            plan.rate * static_cast<double>(share) / static_cast<double>(plan.connections));
        if (auto connected = part->connect(share); !connected) return fail(connected.error());
        parts.push_back(std::move(part));
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < count; ++i)
        threads.emplace_back([part = parts[i].get()] { part->run(); });
    parts.front()->run();
    for (std::thread& each : threads) each.join();
    load_tally sum;
    for (const auto& part : parts) sum.add(part->tally);
    return sum;
}

result<load_tally> run_propagation(const load_plan& plan, const std::string& stream_target,
                                   std::size_t subscribers, const load_watch& on) {
    const auto to = resolve(plan.where);
    if (!to) return fail(to.error());
    auto appends = load_requests::of(plan);
    if (!appends) return fail(std::move(appends.error()));
    load_plan follow = plan;
    follow.method = "GET";
    follow.target = stream_target;
    follow.body.clear();
    follow.headers += "Accept: text/event-stream\r\n";
    auto subscriptions = load_requests::of(follow);
    if (!subscriptions) return fail(std::move(subscriptions.error()));

    const window times{plan};
    load_tally sum;
    load_loop loop;
    load_pacer pace{plan.rate, monotonic_ns()};
    std::vector<std::string> lines(subscribers), problems(plan.connections);
    for (std::size_t index = 0; index < subscribers + plan.connections; ++index) {
        auto made = load_connection::open(*to, index);
        if (!made) return fail(std::move(made.error()));
        load_connection& one = loop.add(std::move(*made));
        if (index >= subscribers) {
            pace.idle(one);
            continue;
        }
        subscriptions->render(one.out, index);
        loop.flush(one);
    }
    const auto followed = [&](load_connection& one) {
        return one.receive(
            [&](std::string_view body) {
                sum.bytes += body.size();
                const std::uint64_t now = monotonic_ns();
                take_events(lines[one.index()], body, [&](std::uint64_t sent) {
                    if (times.holds(now) && now >= sent) sum.latency.add(now - sent);
                    if (on.answered != nullptr) ++*on.answered;
                });
            },
            [&](int status) { ++sum.errors[fmt::format("stream_ended_{}", status)]; });
    };
    const auto appended = [&](load_connection& one) {
        std::string& problem = problems[one.index() - subscribers];
        return one.receive(
            [&](std::string_view body) {
                if (one.status() >= 400 && problem.size() < problem_bytes_max) problem.append(body);
            },
            [&](int status) {
                if (status >= 400) ++sum.errors[name_of_refusal(status, problem)];
                problem.clear();
                pace.idle(one);
            });
    };
    loop.run(times.to,
             {[&](load_connection& one) {
                  return one.index() < subscribers ? followed(one) : appended(one);
              },
              [&](load_connection& one, const error& why) {
                  ++sum.errors[std::string{name_of(why.code)}];
                  pace.forget(one);
                  loop.drop(one.index());
              },
              [&] {
                  pace.send_due([&](load_connection& one, std::uint64_t) {
                      appends->render(one.out, one.index());
                      loop.flush(one);
                  });
                  return on.go_on();
              }},
             true);
    sum.seconds = times.seconds_until_now();
    return sum;
}

}  // namespace flexcore::cli
