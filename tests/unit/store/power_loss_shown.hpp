// What a log shows after the power came back, beside what it should: the whole log, the list of
// streams with their settings, single streams and events, and the rows that were made of it.
//
// Threads: one.
#pragma once

#include "contract/log_model.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace power_loss_test {

using namespace contract;  // NOLINT: a test's vocabulary

struct shown {
    position head = 0;
    std::vector<std::shared_ptr<const event_batch>> pages;  ///< the whole log
    std::vector<stream_info> streams;
};
[[nodiscard]] result<shown> look_at(event_log&);

/// The first difference, in words.
[[nodiscard]] std::optional<std::string> difference(const log_model&, const shown&);
/// The same of one stream as it is read by itself, and of one event by its id.
[[nodiscard]] result<std::optional<std::string>> stream_difference(const log_model&, event_log&,
                                                                   const std::string& stream);
[[nodiscard]] result<std::optional<std::string>> event_difference(const log_model&, event_log&,
                                                                  const log_model::stored&);

/// A row per stream, of its last event up to a checkpoint. Of what is hidden by now it says what
/// the log showed when it was made.
[[nodiscard]] std::string row_key(std::string_view tenant, std::string_view stream);
[[nodiscard]] std::string row_text(version, const uuid&);
[[nodiscard]] std::optional<std::string> row_difference(
    const log_model&, position upto, const std::map<std::string, std::string>& rows);

}  // namespace power_loss_test
