// What a database says about itself to somebody who wants to serve from it: `flexcore doctor`.
//
// Writes:  messages into the database's log, of a few bytes each, to see how long a durable commit
//          takes; nothing that stays.
// Bounds:  some seconds, and connect_timeout per host.
// Errors:  those of opening a store's first session, with what is wrong in the text: it is for the
//          operator, without the password.
// Threads: one.
#pragma once

#include "base/result.hpp"
#include "store/open.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace flexcore::store {

struct database_facts {
    std::string place;    ///< "postgresql://host:5432/shop, schema flexcore"
    std::string version;  ///< "15.18"
    int major = 0;

    enum class pooling : std::uint8_t { none, session, transaction };
    pooling pooler = pooling::none;  ///< with `transaction` nothing below is known

    double connect_ms = 0;
    double round_trip_ms = 0;        ///< median
    std::vector<double> commits_ms;  ///< ascending; empty when this role may not, or would wait
    double clock_ahead_ms = 0;       ///< of the database's clock before this machine's
    double clock_unsure_ms = 0;      ///< plus or minus

    /// Commits wait for a standby that is not there.
    [[nodiscard]] bool standby_missing() const noexcept {
        return !synchronous_standby_names.empty() && standbys_known && synchronous_standbys == 0;
    }

    bool remote = false;  ///< over a network that is not this machine's own
    std::string tls;      ///< "TLSv1.3"; empty: none
    std::string sslmode;  ///< of the URL, or libpq's default

    std::string encoding;
    std::string synchronous_commit;  ///< as the role and the database have it
    bool fsync = true;
    bool full_page_writes = true;
    bool data_checksums = true;
    bool autovacuum = true;
    std::string wal_level;
    std::string synchronous_standby_names;
    int standbys = 0;              ///< connected now
    int synchronous_standbys = 0;  ///< of those, that commits wait for
    bool standbys_known = true;    ///< this role may see them

    int connections_max = 0;   ///< for roles that are not superusers
    int connections_used = 0;  ///< by others, now

    bool schema_there = false;
    bool may_make_schema = false;
    bool newer_schema = false;  ///< a newer program has served from it
    bool amcheck = false;
};

[[nodiscard]] result<database_facts> look_at_database(const store_settings&);

}  // namespace flexcore::store
