// The table of settings: everything that is said about one is said here, once.
//
// Parsing, variables, flags, validation, `flexcore config` and the check of config/flexcore.toml
// all read this table. Defaults are those of the structs themselves (settings{}).
#pragma once

#include "app/settings.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace flexcore::app {

enum class setting_kind : std::uint8_t {
    text,
    choice,  ///< one of `choices`
    boolean,
    integer,
    bytes,         ///< key ends in or holds "_bytes"
    milliseconds,  ///< key ends in or holds "_ms"
    list,          ///< of texts
    plugins,       ///< of {file, config}
};

/// text and choice: std::string; integer, bytes, milliseconds: std::int64_t.
using setting_value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>,
                                   std::vector<plugin_entry>>;

struct setting {
    std::string key;  ///< "http.port"
    setting_kind kind = setting_kind::text;
    std::string about;     ///< sentences for a person
    std::int64_t min = 0;  ///< of numbers, in the key's unit
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
    std::vector<std::string> choices;
    std::string also_variable;  ///< read when the FLEXCORE_ one is absent
    bool secret = false;        ///< a URL whose password is masked when shown
    setting_value (*get)(const settings&) = nullptr;
    void (*set)(settings&, const setting_value&) = nullptr;

    [[nodiscard]] std::string variable() const;  ///< "FLEXCORE_HTTP_PORT"
    [[nodiscard]] std::string section() const;   ///< "http"
    [[nodiscard]] std::string name() const;      ///< "port"
};

/// In the order of the settings file, sections together.
[[nodiscard]] const std::vector<setting>& setting_table();
[[nodiscard]] const setting* find_setting(std::string_view key);

/// What is allowed, for a message: "an integer from 0 to 65535".
[[nodiscard]] std::string expectation(const setting&);

/// A value from a variable or flag: lists are separated by commas.
[[nodiscard]] result<setting_value> value_from_text(const setting&, std::string_view text);
/// From an integer of a file, or a text with a unit; checks the range.
[[nodiscard]] result<setting_value> value_from_integer(const setting&, std::int64_t);

/// A number with the largest unit that leaves no rest: "4MiB", "500ms"; plain without a unit.
[[nodiscard]] std::string amount_as_text(const setting&, std::int64_t);
/// As it stands in a settings file: `8080`, `"4MiB"`, `["a", "b"]`.
[[nodiscard]] std::string value_as_toml(const setting&, const setting_value&);
/// postgres://user:secret@host → postgres://user:***@host; rather too much than too little.
[[nodiscard]] std::string mask_url(std::string_view url);

}  // namespace flexcore::app
