// conninfo: how to reach the database, from the URL the operator gave.
//
// Secrets: the password never stands in a message; `place` is what may be shown.
// Threads: values.
#pragma once

#include "base/result.hpp"
#include "store/errc.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flexcore::store::postgres {

struct conninfo {
    /// libpq's "keyword='value' …", what is missing filled in: one for each host, in the URL's
    /// order. libpq would stop at the first that takes writes, and that may be an old primary.
    std::vector<std::string> hosts;
    /// Of `hosts`, by all who share this: where the next session is tried first. One that is gone
    /// or frozen costs each session its connect_timeout.
    std::shared_ptr<std::atomic<std::size_t>> last_used =
        std::make_shared<std::atomic<std::size_t>>(0);
    std::string sslmode;  ///< as given, or "prefer"
    std::string place;    ///< "postgresql://host:port/database" for a person, no user, no password
};

/// Takes "postgresql://…" or "postgres://…" apart as libpq does: several hosts, sslmode and the
/// rest included. What the URL leaves open: connect_timeout, keep-alives, application_name,
/// target_session_attrs=read-write. `password_file`: its first line is the password.
/// base_errc::invalid_argument names what is wrong; base_errc::io the password file.
[[nodiscard]] result<conninfo> read_conninfo(std::string_view url, const std::string& password_file,
                                             std::chrono::seconds connect_timeout,
                                             const char* application = "flexcore");

struct shown_conninfo {
    std::string text;
    std::string password;  ///< empty: none was given
};
/// One of `hosts`, for a program whose arguments everybody may read: secrets apart.
/// invalid_argument when it has one that cannot be given otherwise (sslpassword).
[[nodiscard]] result<shown_conninfo> without_secrets(const std::string& host);

}  // namespace flexcore::store::postgres
