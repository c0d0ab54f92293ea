// Migration files as they are embedded into the program, by number: "0001_event_log.sql". What all
// databases keep of the ones applied: number, name and checksum.
//
// Threads: values.
#pragma once

#include "base/result.hpp"
#include "store/errc.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store {

struct embedded_file {
    std::string_view name;
    std::string_view text;
};

[[nodiscard]] std::int64_t number_of(const embedded_file&);
[[nodiscard]] std::string checksum_of(const embedded_file&);

/// A migration that a database has.
struct applied_migration {
    std::int64_t number = 0;
    std::string name;
    std::string checksum;
};
/// newer_schema when the database knows one this program does not, or one with another content.
/// `database` names it in the message.
[[nodiscard]] result<void> check_applied(std::string_view database,
                                         const std::vector<embedded_file>& known,
                                         const std::vector<applied_migration>& applied);

}  // namespace flexcore::store
