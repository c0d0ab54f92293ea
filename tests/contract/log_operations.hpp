// Random operations on an event log, run beside the model; a run that fails is made small.
//
// An operation is data, made before anything runs, so that any part of a sequence can run alone.
// Threads: one.
#pragma once

#include "contract/log_model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace contract {

struct append_operation {
    request what;
    /// For each append: beside the model's current version, where the rule is exact.
    std::vector<int> offsets;
};
struct change_operation {
    log_model::change what;
    int offset = 0;
    /// Versions to truncate beyond what is served; settings only ever take more away, since what
    /// was reclaimed would not come back.
    version more = 0;
};
struct reopen_operation {};
using operation = std::variant<append_operation, change_operation, reopen_operation>;

[[nodiscard]] std::vector<operation> random_operations(std::uint64_t seed, std::size_t count);

/// Runs them on a fresh store and on a fresh model, comparing every answer and then every read.
/// The first difference, in words.
[[nodiscard]] std::optional<std::string> difference(
    const std::vector<operation>&, const backend&,
    log_model::mistake made = log_model::mistake::nothing);

/// The fewest operations found that still differ.
[[nodiscard]] std::vector<operation> shrunk(std::vector<operation>, const backend&,
                                            log_model::mistake made = log_model::mistake::nothing);

[[nodiscard]] std::string describe(const std::vector<operation>&);

}  // namespace contract
