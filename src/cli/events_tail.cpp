// flexcore events tail
#include "base/json.hpp"
#include "cli/events_impl.hpp"
#include "cli/interrupt_impl.hpp"
#include "cli/sse.hpp"
#include "cli/terminal.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <thread>

namespace flexcore::cli {
namespace {

constexpr std::chrono::milliseconds pause_first{100};
constexpr std::chrono::milliseconds pause_max{5'000};
// The server sends a comment every 15 s: three missed mean that the connection is dead.
constexpr double silence_s = 45;

struct options {
    client_options client;
    event_filters filters;
    std::string from = "now";
    std::uint64_t count = 0;
};

/// A position with no event to see behind it. Where "now" is must be known before the first
/// connection breaks, or what came in between would be skipped.
result<std::string> head_position(http_client& client, const client_options& options) {
    http_request request;
    request.target = "/v1/events?direction=backward&limit=1";
    const auto answer = ask(client, options, std::move(request));
    if (!answer) return fail(answer.error());
    const auto parsed = json::to_value(answer->body, 2 * json::depth_max_default);
    if (!parsed || !parsed->is_object() || !parsed->get_object().contains("items") ||
        !parsed->at("items").is_array())
        return fail(cli_errc::bad_answer, "the answer has no items");
    const auto& items = parsed->at("items").get_array();
    if (items.empty()) {
        // Many hidden events (of a deleted stream) at the end make an empty page that goes on
        // before `next`: nothing from there on is to be seen, which is all that "now" needs.
        const auto* next = parsed->get_object().if_contains("next");
        return next == nullptr || next->is_null() ? std::string{"0"} : plain(*next);
    }
    const auto* position =
        items.front().is_object() ? items.front().get_object().if_contains("position") : nullptr;
    if (position == nullptr) return fail(cli_errc::bad_answer, "an event without a position");
    return plain(*position);
}

class tail {
public:
    tail(const context& c, const options& o, http_client client)
        : c_{c}, o_{o}, client_{std::move(client)} {}

    int run() {
        if (o_.from == "start") {
            position_ = "0";
        } else if (o_.from == "now") {
            auto head = head_position(client_, o_.client);
            if (!head) return report(c_, o_.client, head.error());
            position_ = std::move(*head);
        } else {
            position_ = o_.from;
        }
        auto pause = pause_first;
        for (bool first = true;; first = false) {
            const auto lost = follow();
            if (!lost) return exit_done;
            const bool passing = lost->code == cli_errc::broken ||
                                 lost->code == cli_errc::timeout ||
                                 (lost->code == cli_errc::unreachable && !first);
            if (!passing) return report(c_, o_.client, *lost);
            if (std::exchange(connected_, false)) {
                pause = pause_first;
                c_.io.err << fmt::format("connection lost after position {}; trying again\n",
                                         printable(position_));
            }
            c_.io.out.flush();
            std::this_thread::sleep_for(pause);
            pause = std::min(pause * 2, pause_max);
        }
    }

private:
    /// Until the count is reached or nobody takes the output (nothing), or the connection ends
    /// (why).
    std::optional<error> follow() {
        auto parameters = o_.filters.parameters();
        if (!ever_connected_) parameters.emplace_back("after", position_);
        http_request request;
        request.target = "/v1/events/stream" + query_string(parameters);
        request.headers = headers_for(o_.client);
        request.headers.front() = {"Accept", "text/event-stream"};
        if (ever_connected_) request.headers.emplace_back("Last-Event-ID", position_);
        const auto head = client_.open(request);
        if (!head) return head.error();
        if (head->status != 200) return refusal(*head);
        if (ever_connected_) c_.io.err << "connected again\n";
        connected_ = ever_connected_ = true;
        sse_parser parser;
        for (;;) {
            const auto part = client_.read_part();
            if (!part) return part.error();
            if (!*part) return error{make_error_code(cli_errc::broken), "the stream ended"};
            for (const sse_message& message : parser.feed(**part))
                if (take(message)) return std::nullopt;
            // Nothing more may come to print for long: `… | head` is noticed with the server's next
            // comment at the latest.
            if (!c_.io.out.flush() || reader_gone(STDOUT_FILENO)) return std::nullopt;
        }
    }

    /// A server that is starting, stopping or full will take us later.
    error refusal(const http_answer& head) {
        std::string body;
        for (;;) {
            const auto part = client_.read_part();
            if (!part || !*part) break;
            body += **part;
        }
        error refused = refusal_of(head.status, body);
        if (head.status == 503 && ever_connected_) refused.code = cli_errc::broken;
        return refused;
    }

    /// True when the last wanted event was printed.
    bool take(const sse_message& message) {
        if (message.has_id) position_ = message.id;
        // An event may have the type "caught_up" too; the server's own mark is no event.
        const bool mark = message.event == "caught_up" &&
                          message.data.find("\"recorded_at\"") == std::string::npos;
        if (message.data.empty() || mark) return false;
        if (o_.client.json) {
            c_.io.out << message.data << '\n';
        } else {
            const auto event = json::to_value(message.data, 2 * json::depth_max_default);
            if (event && event->is_object())
                c_.io.out << event_line(event->get_object(), terminal_columns(1)) << '\n';
        }
        return ++printed_ == o_.count;
    }

    const context& c_;
    const options& o_;
    http_client client_;
    std::string position_;
    std::uint64_t printed_ = 0;
    bool connected_ = false, ever_connected_ = false;
};

int follow_log(const context& c, const options& o) {
    const bool position = !o.from.empty() && o.from.find_first_of(" \t\r\n") == std::string::npos;
    if (!position)
        return report(c, {make_error_code(base_errc::invalid_argument),
                          "events tail: --from is a position, start or now"});
    client_options bounded = o.client;
    bounded.timeout_s = std::max(bounded.timeout_s, silence_s);
    auto client = client_for(bounded);
    if (!client) return report(c, client.error());
    end_quietly_on_interrupt();
    return tail{c, o, std::move(*client)}.run();
}

}  // namespace

void add_events_tail(subcommand app, context& c) {
    const subcommand tail_app = app.add_subcommand("tail", "Follow the log as it grows");
    auto o = std::make_shared<options>();
    tail_app.add_option("--from", o->from, "Begin after this position; start; now (default)");
    tail_app.add_option("--count", o->count, "End after so many events (default: never)")
        .range(1, 1'000'000'000);
    add_event_filters(tail_app, o->filters);
    add_client_options(tail_app, o->client, c);
    tail_app.footer(
        "A lost connection is made again; nothing is skipped and nothing comes twice. With --json\n"
        "each event is one line (NDJSON). Ctrl-C ends it, with exit code 0.\n"
        "Examples:\n"
        "  flexcore events tail\n"
        "  flexcore events tail --from start --types sales.order_placed --json\n"
        "  flexcore events tail --categories sales.order --count 10");
    tail_app.callback([o, &c] { c.action = [o, &c] { return follow_log(c, *o); }; });
}

}  // namespace flexcore::cli
