// rule_book: the rules of streams as one connection sees them.
//
// Use:     `begin` with the board's number before a snapshot is opened, and with an odd one when it
//          has moved until the snapshot is open; then everything below within that snapshot. The
//          writer begins with each look and sees its own transaction.
// Errors:  those of the database; corrupt when a rule is not what was written.
// Threads: those of the connection.
#pragma once

#include "store/sqlite/rule_rows.hpp"

#include <unordered_map>

namespace flexcore::store::sqlite {

class rule_book {
public:
    [[nodiscard]] result<void> prepare(connection&);

    /// `changes` 0: no stream has rules, and nothing is looked up. Odd: nothing is remembered from
    /// before, nor for the next time.
    void begin(std::uint64_t changes, unix_us now);
    void forget();
    [[nodiscard]] bool empty() const noexcept { return changes_ == 0; }
    [[nodiscard]] unix_us now() const noexcept { return now_; }

    /// Null when the stream has none.
    [[nodiscard]] result<const rule_row*> of(std::uint64_t stream, std::uint64_t tenant);
    /// The lowest version served, age included; `last` + 1 when none is.
    [[nodiscard]] result<version> first_served(const rule_row&, version last);
    /// The stream's last version in this snapshot.
    [[nodiscard]] result<version> last_version(const rule_row&);
    /// Whether rules take the event away.
    [[nodiscard]] result<bool> hides(std::uint64_t stream, std::uint64_t tenant, version ver,
                                     unix_us recorded_at);

    [[nodiscard]] result<bool> tenant_has_any(std::uint64_t tenant);

private:
    connection* db_ = nullptr;
    statement any_of_tenant_, of_stream_, last_, time_at_;
    std::uint64_t changes_ = 0;
    unix_us now_ = 0;
    std::unordered_map<std::uint64_t, bool> tenants_;
    std::unordered_map<std::uint64_t, std::optional<rule_row>> streams_;
    std::unordered_map<std::uint64_t, version> last_versions_;  ///< of this snapshot
};

}  // namespace flexcore::store::sqlite
