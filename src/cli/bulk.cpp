#include "cli/bulk.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

namespace flexcore::cli {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause_first{20};
constexpr std::chrono::milliseconds pause_max{1'000};
constexpr std::size_t queue_lines_max = 1'000;
constexpr std::size_t queue_bytes_max = 8u << 20;
constexpr int status_busy = 503;

/// Depends on what there is, not on the line alone: the domain's no, a conflict, a deleted stream.
bool is_of_its_time(std::int64_t status) {
    return status == 422 || status == 409 || status == 410;  // NOLINT: they are called so
}

/// Lines of one connection on their way from the reader.
class lane {
public:
    void put(bulk_line line) {
        std::unique_lock lock{mutex_};
        room_.wait(lock, [&] {
            return lines_.empty() || (lines_.size() < queue_lines_max && bytes_ < queue_bytes_max);
        });
        bytes_ += line.text.size();
        lines_.push_back(std::move(line));
        filled_.notify_one();
    }
    void end() {
        const std::lock_guard lock{mutex_};
        ended_ = true;
        filled_.notify_one();
    }
    /// What waits, within the bounds; empty at the end.
    std::vector<bulk_line> take(std::size_t lines_max, std::size_t bytes_max) {
        std::unique_lock lock{mutex_};
        filled_.wait(lock, [&] { return ended_ || !lines_.empty(); });
        std::vector<bulk_line> taken;
        for (std::size_t bytes = 0; !lines_.empty() && taken.size() < lines_max;) {
            bytes += lines_.front().text.size();
            if (!taken.empty() && bytes > bytes_max) break;
            bytes_ -= lines_.front().text.size();
            taken.push_back(std::move(lines_.front()));
            lines_.pop_front();
        }
        room_.notify_one();
        return taken;
    }

private:
    std::mutex mutex_;
    std::condition_variable room_, filled_;
    std::deque<bulk_line> lines_;
    std::size_t bytes_ = 0;
    bool ended_ = false;
};

std::string text_of(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return {};
    return std::string{std::string_view{value->get_string()}};
}

std::uint64_t sum_of(const std::map<std::string, bulk_reason>& reasons) {
    std::uint64_t sum = 0;
    for (const auto& [name, reason] : reasons) sum += reason.count;
    return sum;
}

std::chrono::milliseconds shaken(std::chrono::milliseconds pause) {
    thread_local std::minstd_rand random{std::random_device{}()};
    return std::chrono::milliseconds{
        std::uniform_int_distribution<long>{pause.count() / 2, pause.count()}(random)};
}

}  // namespace

bulk_answer judge(std::string_view line) {
    const auto parsed = json::to_value(line);
    const boost::json::object* object = parsed ? parsed->if_object() : nullptr;
    if (object == nullptr)
        return {bulk_verdict::again_if_repeatable, "bad_answer", "no JSON object"};
    const auto* status_value = object->if_contains("status");
    if (status_value == nullptr || !status_value->is_int64()) return {};
    const auto status = status_value->get_int64();
    const std::string code = text_of(*object, "code");
    const std::string reason = text_of(*object, "reason");
    std::string detail = text_of(*object, "detail");
    if (detail.empty()) detail = text_of(*object, "title");
    bulk_answer answer{bulk_verdict::refused, reason.empty() ? code : reason, std::move(detail)};
    if (code == "busy")
        answer.verdict = bulk_verdict::again;
    else if (code == "store_unavailable" || code == "store_full" || code == "deadline_exceeded" ||
             code == "request_in_progress")
        answer.verdict = bulk_verdict::again_if_repeatable;
    else if (status >= 500)
        answer.verdict = bulk_verdict::failed;
    else if (status < 400)
        answer.verdict = bulk_verdict::accepted;
    else if (!is_of_its_time(status))
        answer.verdict = bulk_verdict::invalid;
    return answer;
}

std::uint64_t bulk_tally::refused_count() const { return sum_of(refused); }
std::uint64_t bulk_tally::invalid_count() const { return sum_of(invalid); }
std::uint64_t bulk_tally::failed_count() const { return sum_of(failed); }

struct bulk::state {
    bulk_settings settings;
    bulk_prepare prepare;
    std::mutex mutex;  // guards tally
    bulk_tally tally;
    std::atomic<std::uint64_t> answered{0}, bytes_done{0};
    std::atomic<bool> stopping{false};

    void done(const bulk_line& line) {
        ++answered;
        bytes_done += line.input_bytes;
    }
    void accept(const bulk_line& line) {
        const std::lock_guard lock{mutex};
        ++tally.accepted;
        done(line);
    }
    void count(std::map<std::string, bulk_reason> bulk_tally::* list, const bulk_line& line,
               const std::string& name, const std::string& detail) {
        const std::lock_guard lock{mutex};
        bulk_reason& reason = (tally.*list)[name.empty() ? "unknown" : name];
        done(line);
        if (reason.count++ != 0 && reason.first_line < line.number) return;
        reason.first_line = line.number;
        reason.detail = detail;
    }

    /// Settles a line, or keeps it for another attempt.
    void settle(bulk_line& line, const bulk_answer& answer, bool last,
                std::vector<bulk_line>& again) {
        const bool repeat =
            answer.verdict == bulk_verdict::again ||
            (answer.verdict == bulk_verdict::again_if_repeatable && line.repeatable);
        if (repeat && !last)
            again.push_back(std::move(line));
        else if (answer.verdict == bulk_verdict::accepted)
            accept(line);
        else if (answer.verdict == bulk_verdict::refused)
            count(&bulk_tally::refused, line, answer.reason, answer.detail);
        else if (answer.verdict == bulk_verdict::invalid)
            count(&bulk_tally::invalid, line, answer.reason, answer.detail);
        else
            count(&bulk_tally::failed, line, answer.reason, answer.detail);
    }

    /// One attempt; gives what has to be sent again.
    std::vector<bulk_line> attempt(http_client& client, std::vector<bulk_line> lines, bool last) {
        http_request request{"POST", settings.target, {}, "application/x-ndjson", settings.headers};
        for (const bulk_line& line : lines) request.body.append(line.text).push_back('\n');
        std::vector<bulk_line> again;
        const auto answer = client.ask(request);
        if (!answer) {
            const bool untouched = answer.error().code == cli_errc::unreachable;
            const bulk_answer lost{
                untouched ? bulk_verdict::again : bulk_verdict::again_if_repeatable,
                std::string{name_of(answer.error().code)}, answer.error().client};
            for (bulk_line& line : lines) settle(line, lost, last, again);
            const bool silent = answer.error().code == cli_errc::timeout;
            if (last && (untouched || silent)) stopping = true;
            return again;
        }
        if (answer->status != 200) {
            bulk_answer whole = judge(answer->body);
            if (whole.verdict == bulk_verdict::accepted)
                whole = {answer->status == status_busy ? bulk_verdict::again_if_repeatable
                                                       : bulk_verdict::failed,
                         fmt::format("status_{}", answer->status), "an answer without a problem"};
            for (bulk_line& line : lines) settle(line, whole, last, again);
            return again;
        }
        std::string_view rest = answer->body;
        const bulk_answer missing{bulk_verdict::again_if_repeatable, "connection_lost",
                                  "the answer ended early"};
        for (bulk_line& line : lines) {
            const std::size_t end = rest.find('\n');
            const std::string_view text = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            settle(line, text.empty() ? missing : judge(text), last, again);
        }
        return again;
    }

    void deliver(http_client& client, std::vector<bulk_line> lines) {
        if (stopping) {
            for (const bulk_line& line : lines)
                count(&bulk_tally::failed, line, "not_sent", "sending ended before this line");
            return;
        }
        const auto until = clock::now() + settings.retry_for;
        auto pause = pause_first;
        for (;;) {
            const bool last = stopping || clock::now() >= until;
            lines = attempt(client, std::move(lines), last);
            if (lines.empty()) return;
            {
                const std::lock_guard lock{mutex};
                tally.again += lines.size();
            }
            std::this_thread::sleep_for(shaken(pause));
            pause = std::min(pause * 2, pause_max);
        }
    }
};

bulk::bulk(bulk_settings settings, bulk_prepare prepare) : state_{std::make_unique<state>()} {
    state_->settings = std::move(settings);
    state_->prepare = std::move(prepare);
}
bulk::~bulk() = default;

bulk_tally bulk::run(std::istream& in) {
    const auto begin = clock::now();
    std::vector<std::unique_ptr<lane>> lanes;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < state_->settings.concurrency; ++i) {
        lanes.push_back(std::make_unique<lane>());
        threads.emplace_back([s = state_.get(), from = lanes.back().get()] {
            http_client client{s->settings.where, s->settings.bounds};
            for (;;) {
                auto lines = from->take(s->settings.batch_lines, s->settings.batch_bytes);
                if (lines.empty()) return;
                s->deliver(client, std::move(lines));
            }
        });
    }
    std::string text;
    std::uint64_t sent = 0;
    bool whole = false;
    for (std::uint64_t number = 1; !state_->stopping; ++number) {
        if (!std::getline(in, text)) {
            whole = !state_->stopping;  // else a signal broke the reading off
            break;
        }
        if (text.find_first_not_of(" \t\r") == std::string::npos) {
            state_->bytes_done += text.size() + 1;
            continue;
        }
        auto line = state_->prepare(text);
        if (!line) {
            bulk_line bad;
            bad.number = number;
            bad.input_bytes = text.size() + 1;
            state_->count(&bulk_tally::invalid, bad, "invalid_line", line.error().client);
            continue;
        }
        ++sent;
        line->number = number;
        line->input_bytes = text.size() + 1;
        lanes[std::hash<std::string>{}(line->key) % lanes.size()]->put(std::move(*line));
    }
    for (auto& l : lanes) l->end();
    for (auto& t : threads) t.join();
    bulk_tally tally = std::move(state_->tally);
    tally.sent = sent;
    tally.stopped = !whole;
    tally.seconds = std::chrono::duration<double>(clock::now() - begin).count();
    return tally;
}

void bulk::stop() noexcept { state_->stopping = true; }

bulk_progress bulk::so_far() const noexcept { return {state_->answered, state_->bytes_done}; }

}  // namespace flexcore::cli
