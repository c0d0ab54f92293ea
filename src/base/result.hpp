// result<T>: what every operation that can be expected to fail returns.
//
// Shape:   std::expected<T, error>; `error` is a code of the failing module plus two texts.
// Errors:  each module owns one enumeration, registered as a std::error_code category
//          (`store_errc`, `bus_errc`, …). Only src/gateway/problem.cpp turns codes into HTTP.
// Threads: values, no sharing.
#pragma once

#include <boost/json/object.hpp>

#include <expected>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace flexcore {

/// A failure. Two texts: `client` may be shown to whoever called, `log` only to the operator.
struct error {
    std::error_code code;
    std::string client;  ///< what is wrong and how to mend it; safe for the client
    std::string log;     ///< what only the operator should see; may be empty
    /// Members of the problem document beyond the standard ones: "current_version", "reason",
    /// "errors", "failures", "position". Null when there are none.
    std::shared_ptr<const boost::json::object> members;

    error() = default;
    error(std::error_code c, std::string client_text, std::string log_text = {})
        : code{c}, client{std::move(client_text)}, log{std::move(log_text)} {}

    /// The same failure with one more member of its problem document.
    [[nodiscard]] error with(std::string_view name, boost::json::value value) && {
        auto copy = members ? std::make_shared<boost::json::object>(*members)
                            : std::make_shared<boost::json::object>();
        copy->insert_or_assign(name, std::move(value));
        members = std::move(copy);
        return std::move(*this);
    }
};

template <class T>
using result = std::expected<T, error>;

/// `return fail(store_errc::version_conflict, "…");`
template <class Code>
[[nodiscard]] std::unexpected<error> fail(Code code, std::string client, std::string log = {}) {
    return std::unexpected<error>{error{make_error_code(code), std::move(client), std::move(log)}};
}

[[nodiscard]] inline std::unexpected<error> fail(error e) {
    return std::unexpected<error>{std::move(e)};
}

/// Errors that belong to no module: malformed text, exhausted machine, a defect of ours.
enum class base_errc {
    invalid_json = 1,  ///< not JSON, or not JSON we accept (duplicate member, depth, number)
    invalid_name,      ///< an event type, stream name, tag, … breaks the naming rule
    invalid_argument,  ///< any other value outside its range
    io,                ///< the operating system refused
    internal,          ///< a defect of ours; details are in the log
};
std::error_code make_error_code(base_errc) noexcept;

}  // namespace flexcore

template <>
struct std::is_error_code_enum<flexcore::base_errc> : std::true_type {};
