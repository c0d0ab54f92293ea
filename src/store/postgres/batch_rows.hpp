// batch_rows: what one batch adds to the tables, as the arrays that append_batch takes
// (migrations/postgres/0001_event_log.sql), in the order of its parameters.
//
// Threads: one.
#pragma once

#include "store/event_log.hpp"
#include "store/postgres/params.hpp"
#include "store/stream_rules_impl.hpp"

#include <string>

namespace flexcore::store::postgres {

enum class name_kind : std::uint8_t { tenant = 1, category = 2, type = 3, tag = 4 };

/// The single row of log_head.
struct log_head {
    position pos = 0;
    std::uint64_t changes = 0;
    unix_us recorded_at = 0;
    std::uint64_t last_id = 0;
};

/// An event and the ids of its names.
struct event_ids {
    std::uint64_t stream = 0;
    std::uint64_t type = 0;
    std::uint64_t category = 0;
    std::uint64_t tenant = 0;
};

class batch_rows {
public:
    void assume_no_stream(std::uint64_t tenant, std::string_view name);
    void assume_no_event(std::uint64_t tenant, const uuid&);
    void assume_no_key(std::uint64_t tenant, std::string_view key);
    void add_name(std::uint64_t id, name_kind, std::uint64_t tenant, std::string_view name);
    void add_stream(std::uint64_t id, std::uint64_t tenant, std::uint64_t category,
                    std::string_view name);
    void add_event(const recorded_event&, const event_ids&, std::uint32_t place);
    void add_tag(std::uint64_t tag, position);
    void add_key(std::uint64_t tenant, const idempotency_entry&, std::string_view answer,
                 unix_us expires_at);
    /// Once per stream, and add_key once per key.
    void add_rules(std::uint64_t stream, std::uint64_t tenant, const stream_rules&);

    /// Anything to write; what is only assumed does not count.
    [[nodiscard]] bool any() const noexcept;
    [[nodiscard]] params call(const uuid& batch, const log_head& known, const log_head& after,
                              unix_us keys_looked_up_at) const;

private:
    array_text absent_stream_tenants_, absent_streams_;
    array_text absent_id_tenants_, absent_ids_;
    array_text absent_key_tenants_, absent_keys_;
    array_text name_ids_, name_kinds_, name_tenants_, names_;
    array_text stream_ids_, stream_tenants_, stream_categories_, streams_;
    array_text event_streams_, versions_, types_, categories_, tenants_, schema_versions_, places_,
        ids_, tags_, metadata_bytes_, data_bytes_, checksums_;
    std::string texts_;
    array_text tag_ids_, tag_positions_;
    array_text key_tenants_, keys_, fingerprints_, answers_, expiries_;
    array_text rule_streams_, rule_tenants_, max_ages_, max_counts_, truncations_, deletions_,
        deleted_to_;
};

}  // namespace flexcore::store::postgres
