// What an event log answers, written as simply as can be: everything in vectors, nothing fast,
// nothing durable. Shares no code with the backends.
//
// Left out: time. No rule by age, no key that expires.
// Threads: one.
#pragma once

#include "contract/harness.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace contract {

class log_model {
public:
    struct stored {
        position pos = 0;
        version ver = 0;
        std::size_t place = 0;  ///< within its request
        std::string tenant, stream;
        event what;  ///< the id is nil until the log has told it
    };
    struct change {
        std::string tenant, stream;
        stream_change::kind what = stream_change::kind::settings;
        expected_version expected;
        stream_settings settings;
    };
    struct answer {
        std::error_code code;
        std::vector<std::pair<version, version>> versions;  ///< first and last of each append
        position pos = 0;
        bool repeated = false;
        std::optional<std::string> stored_answer;
        friend bool operator==(const answer&, const answer&) = default;
    };
    /// For a test of the comparison itself.
    enum class mistake : std::uint8_t { nothing, forgets_deletions };

    explicit log_model(mistake made = mistake::nothing) : mistake_{made} {}

    [[nodiscard]] answer append(const request&);
    [[nodiscard]] answer apply(const change&);
    /// The ids that the log has given to the last events, which had none.
    void learn(const std::vector<uuid>& ids);

    [[nodiscard]] position head() const { return log_.size(); }
    /// What an expectation names: 0 when it is not there.
    [[nodiscard]] version current(const std::string& in, const std::string& stream) const;
    /// The lowest version served; one more than the last when none is.
    [[nodiscard]] version first_served(const std::string& in, const std::string& stream) const;
    /// stream_not_found, stream_deleted or nothing.
    [[nodiscard]] std::error_code state(const std::string& in, const std::string& stream) const;
    [[nodiscard]] stream_settings settings(const std::string& in, const std::string& stream) const;
    [[nodiscard]] std::vector<stored> served(const std::string& in, const selector& = {}) const;
    /// As its owner reads it: settings passed over.
    [[nodiscard]] std::vector<version> history(const std::string& in,
                                               const std::string& stream) const;
    [[nodiscard]] std::vector<std::string> streams(const std::string& in) const;
    [[nodiscard]] const std::vector<stored>& log() const { return log_; }
    [[nodiscard]] bool is_served(const stored&) const;

private:
    using full_name = std::pair<std::string, std::string>;  // tenant and its own
    struct stream_state {
        version last = 0;
        version deleted_to = 0;
        bool soft = false, gone = false;
        stream_settings settings;
    };
    [[nodiscard]] const stream_state* find(const std::string& in, const std::string& stream) const;
    [[nodiscard]] const stored* with_id(const std::string& in, const uuid& id) const;
    [[nodiscard]] std::optional<answer> repeated(const request&) const;
    [[nodiscard]] std::error_code refusal(const request&) const;
    [[nodiscard]] answer write(const request&);

    const mistake mistake_;
    std::vector<stored> log_;
    std::map<full_name, stream_state> streams_;
    std::map<full_name, key> keys_;
};

}  // namespace contract
