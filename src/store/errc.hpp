// What the store can answer other than success.
#pragma once

#include "base/result.hpp"

namespace flexcore::store {

enum class store_errc {
    version_conflict = 1,  ///< members: "current_version", "failures"
    condition_failed,      ///< an event matches the condition; members: "position", "failures"
    event_id_conflict,     ///< an event id is known and this is not the same append again
    key_conflict,          ///< an idempotency key is known with another fingerprint
    stream_not_found,
    event_not_found,
    stream_deleted,       ///< tombstone
    invalid_request,      ///< a caller's defect: empty append, a stream twice with gaps, limit 0
    busy,                 ///< the write queue is full; nothing was written
    full,                 ///< no space on the device; nothing was written
    unavailable,          ///< the backend failed or is fenced; nothing acknowledged
    corrupt,              ///< a stored record is not what was written
    newer_schema,         ///< the database was written by a newer version of this program
    locked,               ///< another process has the data folder; the text names it
    checkpoint_conflict,  ///< a read model's checkpoint is not where the writer expected it
    unknown_generation,   ///< of a read model: another writer has dropped it
    unknown_model,        ///< no such read model
    not_indexed,          ///< the scan names a field that was not declared
    invalid_cursor,
    stopped,  ///< the store is shutting down; nothing was written
};
std::error_code make_error_code(store_errc) noexcept;

}  // namespace flexcore::store

template <>
struct std::is_error_code_enum<flexcore::store::store_errc> : std::true_type {};
