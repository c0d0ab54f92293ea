// Reads JSON bodies and says all that is wrong with them at once, each with its JSON pointer.
//
// Lifetime: slices point into the validated text.
// Errors:   gateway_errc::validation_failed with "errors":[{"pointer","detail"}], at most 20.
// Threads:  values.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "store/event_log.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flexcore::gateway {

class findings {
public:
    /// `subject`: what is read, as the error's sentence begins. A literal.
    explicit findings(std::string_view subject = "The body is not") noexcept : subject_{subject} {}
    void add(std::string pointer, std::string detail);
    [[nodiscard]] bool any() const noexcept { return !list_.empty(); }
    /// More are not kept: whoever looks for them may stop.
    [[nodiscard]] bool full() const noexcept;
    [[nodiscard]] error to_error() const;

private:
    std::string_view subject_;
    std::vector<std::pair<std::string, std::string>> list_;
};

/// A pointer with one more step, escaped as RFC 6901 says.
[[nodiscard]] std::string pointer_to(std::string_view base, std::string_view member);
[[nodiscard]] std::string pointer_to(std::string_view base, std::size_t index);

/// One object; members are asked for by name, `finish` refuses those nobody asked for.
class object_reader {
public:
    /// When `value` is no object that is a finding, and every member is absent.
    object_reader(json::slice value, std::string pointer, findings&);

    /// Null counts as a value.
    [[nodiscard]] std::optional<json::slice> take(std::string_view name);
    [[nodiscard]] std::optional<json::slice> require(std::string_view name);
    /// A finding when it is there and no string.
    [[nodiscard]] std::optional<std::string> text(std::string_view name);
    [[nodiscard]] std::optional<std::string> require_text(std::string_view name);
    /// An array's elements; a finding when it is there and no array or out of bounds.
    [[nodiscard]] std::optional<std::vector<json::slice>> array(std::string_view name,
                                                                std::size_t least,
                                                                std::size_t most);
    [[nodiscard]] std::string pointer(std::string_view member) const {
        return pointer_to(pointer_, member);
    }
    void bad(std::string_view member, std::string detail) {
        found_.add(pointer(member), std::move(detail));
    }
    void finish();

private:
    std::string pointer_;
    findings& found_;
    std::vector<json::member> members_;
    std::vector<bool> taken_;
    std::vector<std::string_view> asked_;
};

/// n | "any" | "none" | "exists".
[[nodiscard]] std::optional<store::expected_version> read_expected_version(json::slice);
/// An integer or its string form.
[[nodiscard]] std::optional<store::position> read_position(json::slice);
/// A clause or an array of clauses.
[[nodiscard]] store::selector read_selector(json::slice, const std::string& pointer, findings&);
/// An object without the server's own members; its text.
[[nodiscard]] std::string_view read_metadata(json::slice, const std::string& pointer, findings&);

}  // namespace flexcore::gateway
