// What is written while power is cut, at random: appends with all their expectations, conditions
// and keys, and what takes events away again: settings of streams, soft deletions, tombstones.
//
// Model:   settings never show again what was hidden before, since that may be reclaimed by then.
// Threads: one.
#pragma once

#include "contract/log_model.hpp"

#include <cstdint>
#include <random>
#include <variant>

namespace power_loss_test {

using namespace contract;  // NOLINT: a test's vocabulary

struct tried {
    enum class fate : std::uint8_t { open, acknowledged, refused };

    std::variant<request, log_model::change> what;
    fate became = fate::open;  ///< as far as anybody was told
    bool holds = false;        ///< it has happened, though maybe nobody was told

    [[nodiscard]] const request* append() const { return std::get_if<request>(&what); }
    [[nodiscard]] const log_model::change* change() const {
        return std::get_if<log_model::change>(&what);
    }
};

class some_writes {
public:
    explicit some_writes(std::mt19937_64& random) : random_{random} {}

    /// As the model stands; most of them are accepted.
    [[nodiscard]] tried next(const log_model&);
    /// One of the streams that most is written to.
    [[nodiscard]] std::string busy_stream();

private:
    [[nodiscard]] request append(const log_model&);
    [[nodiscard]] log_model::change change(const log_model&);
    [[nodiscard]] std::string some_stream();
    [[nodiscard]] expected_version expectation(const log_model&, const std::string& stream);
    [[nodiscard]] uuid fresh_id();

    std::mt19937_64& random_;
    std::size_t next_stream_ = 0;
};

[[nodiscard]] append_request build(const tried&);
/// What the model answers, which it then has written.
[[nodiscard]] log_model::answer tell(log_model&, const tried&);
/// The log's answer, as the model would say it.
[[nodiscard]] log_model::answer answer_of(const result<append_outcome>&);

}  // namespace power_loss_test
