// A session for what an operator's command does beside the servers: `verify`, `backup`, `doctor`.
//
// Unlike a server it looks at no data folder and at nothing that was acknowledged, applies no
// migrations, and may use a standby when the URL says target_session_attrs=any.
#pragma once

#include "store/open.hpp"
#include "store/postgres/connection.hpp"

#include <memory>
#include <string>

namespace flexcore::store::postgres {

struct operators_session {
    std::unique_ptr<connection> session;
    connection_settings settings;  ///< of the one host that it is with
    std::string place;             ///< "postgresql://host:5432/shop, schema flexcore"
};

/// `timeout`: of each statement; zero: that of the settings. Errors: those of `read_conninfo` and
/// `connection`, with what libpq says in the text: it is for the operator.
[[nodiscard]] result<operators_session> open_operators_session(const store_settings&,
                                                               bool read_only,
                                                               std::chrono::milliseconds timeout);

/// The same failure with what the server said in its text.
[[nodiscard]] error for_operator(error);
/// What the server said, alone: without what was attempted and the number of the code.
[[nodiscard]] std::string reason_of(const error&);

}  // namespace flexcore::store::postgres
