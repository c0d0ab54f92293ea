// bulk: many NDJSON lines to one route, over several connections, answers counted.
//
// Order:   lines with the same key (aggregate id, stream) go over the same connection in their
//          order. A line that is sent again may be overtaken by later ones of its batch.
// Again:   "busy" and "cannot connect" say that nothing has happened, so such lines are sent again.
//          After a lost connection, a timeout or an unavailable store a line may have taken
//          effect: it is sent again only when it is repeatable (it carries its command_id or event
//          ids, which make the server answer the first result again), else it counts as failed.
// Gone:    when a batch has found no server, or a silent one, for `retry_for`, nothing more is read
//          or sent: `stopped`.
// Bounds:  `retry_for` per batch; in memory: concurrency × (batch + 1000 lines or 8 MiB).
// Threads: `run` starts its own and returns when all lines are answered or given up.
#pragma once

#include "base/result.hpp"
#include "cli/http_client.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace flexcore::cli {

struct bulk_line {
    std::uint64_t number = 0;       ///< in the input, from 1
    std::uint64_t input_bytes = 0;  ///< there, with its end
    std::string text;               ///< what is sent
    std::string key;
    bool repeatable = false;
};

struct bulk_settings {
    url where;
    http_client::timeouts bounds;
    std::string target;  ///< "/v1/commands/batch"
    std::vector<std::pair<std::string, std::string>> headers;
    std::size_t concurrency = 4;
    std::size_t batch_lines = 50;
    std::size_t batch_bytes = 1u << 20;
    std::chrono::milliseconds retry_for{30'000};
};

struct bulk_reason {
    std::uint64_t count = 0;
    std::uint64_t first_line = 0;
    std::string detail;  ///< of that line
};

struct bulk_tally {
    std::uint64_t sent = 0;  ///< lines read and given to the server
    std::uint64_t accepted = 0;
    std::uint64_t again = 0;                     ///< times a line was sent once more
    std::map<std::string, bulk_reason> refused;  ///< by reason or code: not as things stand
    std::map<std::string, bulk_reason> invalid;  ///< by code: wrong as the line stands
    std::map<std::string, bulk_reason> failed;   ///< no answer, or an answer that is not final
    bool stopped = false;  ///< before the end of the input: later lines were not read
    double seconds = 0;

    [[nodiscard]] std::uint64_t refused_count() const;
    [[nodiscard]] std::uint64_t invalid_count() const;
    [[nodiscard]] std::uint64_t failed_count() const;
};

/// Makes a line ready: its key and whether it may be repeated. Errors: cli_errc::bad_input (the
/// line counts as invalid, "invalid_line", without being sent).
using bulk_prepare = std::function<result<bulk_line>(std::string_view text)>;

/// What stays true while it runs; for the progress line.
struct bulk_progress {
    std::uint64_t answered = 0;
    std::uint64_t bytes_done = 0;  ///< of the input: of the lines that are settled
};

class bulk {
public:
    bulk(bulk_settings, bulk_prepare);
    ~bulk();
    /// Blank lines are skipped.
    [[nodiscard]] bulk_tally run(std::istream&);
    /// Nothing more is read; what waits counts as failed ("not_sent"), what is under way gets its
    /// answer. [any thread, also in a signal's handler]
    void stop() noexcept;
    /// [any thread]
    [[nodiscard]] bulk_progress so_far() const noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// How an answer line, or a whole answer, ends a line. Refused: by the domain, a conflict or a
/// deleted stream (422, 409, 410), so at another time it might be taken. Invalid: the others of
/// 4xx, which would say the same again.
enum class bulk_verdict : std::uint8_t {
    accepted,
    refused,
    invalid,
    failed,
    again,
    again_if_repeatable
};
struct bulk_answer {
    bulk_verdict verdict = bulk_verdict::accepted;
    std::string reason;  ///< the domain's reason, or the code
    std::string detail;
};
[[nodiscard]] bulk_answer judge(std::string_view answer_line);

}  // namespace flexcore::cli
