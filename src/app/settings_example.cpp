// config/flexcore.toml, written from the table: every setting with its default, explained.
#include "app/setting_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace flexcore::app {
namespace {

constexpr std::size_t columns = 100;

constexpr std::string_view opening =
    "FlexCore settings. Every setting is listed with its default; remove the \"# \" before a line "
    "to change it. The file is read only when it is named: `flexcore serve --config FILE` or "
    "FLEXCORE_CONFIG=FILE.\n"
    "What comes later wins: defaults, this file, variables (http.port is FLEXCORE_HTTP_PORT), "
    "flags (--set http.port=8081). `flexcore config check` validates, `flexcore config show` "
    "prints each value with its source.\n"
    "Sizes (_bytes) and durations (_ms) are integers in the unit of the name, or texts with a "
    "unit of their own: \"4MiB\" (B, KiB, MiB, GiB), \"30s\" (ms, s, min, h). Relative paths start "
    "at the working directory.\n"
    "This file is the output of `flexcore config example`; a test keeps the two alike.";

struct section_about {
    std::string_view name, about;
};
constexpr std::array sections{
    section_about{"http", "The HTTP server: where it listens and what it takes from clients."},
    section_about{"store", "The event log and the read models."},
    section_about{"log", "The log."},
    section_about{"commands", "Commands and the aggregates that decide them."},
    section_about{"queries", "Queries and their cache."},
    section_about{"events", "Committed events on their way to subscribers."},
    section_about{"projections", "Projections: read models kept up to date from the log."},
    section_about{"plugins",
                  "Plugins. Example:\n"
                  "    [[plugins.load]]\n"
                  "    file = \"build/release/plugins/orders.so\"\n"
                  "    config = {}"},
    section_about{"runtime", "Threads and the ordered stop."},
    section_about{"security", "Who may do what."},
};

void comment(std::string& out, std::string_view text) {
    std::istringstream paragraphs{std::string{text}};
    for (std::string paragraph; std::getline(paragraphs, paragraph);) {
        if (paragraph.starts_with(' ')) {
            out += fmt::format("# {}\n", paragraph);
            continue;
        }
        std::istringstream words{paragraph};
        std::string line = "#";
        for (std::string word; words >> word;) {
            if (line.size() + 1 + word.size() > columns) {
                out += line + "\n";
                line = "#";
            }
            line += " " + word;
        }
        out += line + "\n";
    }
}

std::string limits(const setting& s) {
    const bool bounded = s.kind == setting_kind::integer || s.kind == setting_kind::bytes ||
                         s.kind == setting_kind::milliseconds;
    if (s.kind == setting_kind::choice) return fmt::format(" {}.", fmt::join(s.choices, ", "));
    if (!bounded) return {};
    return fmt::format(" {} to {}.", amount_as_text(s, s.min), amount_as_text(s, s.max));
}

}  // namespace

std::string settings_example() {
    std::string out, section;
    comment(out, opening);
    const settings defaults;
    for (const setting& s : setting_table()) {
        if (s.section() != section) {
            section = s.section();
            out += "\n";
            comment(out, std::ranges::find(sections, section, &section_about::name)->about);
            out += fmt::format("[{}]\n", section);
        }
        out += "\n";
        comment(out, s.about + limits(s) +
                         (s.also_variable.empty()
                              ? ""
                              : fmt::format(" Also read from {}.", s.also_variable)));
        out += fmt::format("# {} = {}\n", s.name(), value_as_toml(s, s.get(defaults)));
    }
    return out;
}

}  // namespace flexcore::app
