// row_cache: what is known of rows that were read or written lately, "there is none" included.
//
// Bounded: by bytes. Two halves: what is used is moved to the young one; when that is full it
//          becomes the old one, and what was still there is forgotten.
// Threads: one.
#pragma once

#include "store/view_store.hpp"

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace flexcore::store::postgres {

/// Nothing: the row is known not to be there. The row's key is left out.
struct known_row {
    std::string json;
    position pos = 0;
};

class row_cache {
public:
    explicit row_cache(std::size_t bytes_max) : half_max_{bytes_max / 2} {}

    /// Null when nothing is known; valid until the next call.
    [[nodiscard]] const std::optional<known_row>* find(const std::string& id) {
        if (const auto found = young_.find(id); found != young_.end()) return &found->second;
        const auto found = old_.find(id);
        if (found == old_.end()) return nullptr;
        auto known = std::move(found->second);
        old_.erase(found);
        return &put(id, std::move(known));
    }
    const std::optional<known_row>& put(const std::string& id, std::optional<known_row> known) {
        if (young_bytes_ >= half_max_) {
            old_ = std::exchange(young_, {});
            young_bytes_ = 0;
        }
        young_bytes_ += entry_bytes + id.size() + (known ? known->json.size() : 0);
        return young_.insert_or_assign(id, std::move(known)).first->second;
    }
    void forget(const std::string& id) {
        young_.erase(id);
        old_.erase(id);
    }

private:
    static constexpr std::size_t entry_bytes = 128;  // about what the map and strings take

    const std::size_t half_max_;
    std::size_t young_bytes_ = 0;  ///< a replaced row counts until the halves change
    std::unordered_map<std::string, std::optional<known_row>> young_, old_;
};

}  // namespace flexcore::store::postgres
