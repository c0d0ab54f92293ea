// The settings file: TOML, every node with its line, nothing unknown accepted.
#include "app/settings_impl.hpp"
#include "base/nearest.hpp"

#include <fmt/format.h>

// The parser takes things for granted that a file can break ("[?"): it would end the process, or do
// anything at all where assertions are off. So they are on, and throw.
#undef NDEBUG
namespace flexcore::app {
namespace {
struct broken_assumption {};
constexpr void take_for_granted(bool holds) {
    if (!holds) throw broken_assumption{};
}
}  // namespace
}  // namespace flexcore::app
#define TOML_ASSERT(expr) ::flexcore::app::take_for_granted(static_cast<bool>(expr))
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

namespace flexcore::app {
namespace {

class reader {
public:
    reader(std::string file, std::vector<settings_problem>& problems)
        : file_{std::move(file)}, problems_{problems} {}

    void section(const toml::table& table, const std::string& prefix) {
        for (const auto& [key, node] : table) {
            const std::string name = prefix + std::string{key.str()};
            if (const setting* known = find_setting(name))
                value(*known, node);
            else if (is_section(name))
                inside(name, key, node);
            else
                unknown(key, name);
        }
    }

    /// The problems in the order of the file, whatever the order of the table.
    [[nodiscard]] file_values take() {
        std::ranges::stable_sort(found_, {}, &finding::at);
        for (finding& each : found_) problems_.push_back(std::move(each.problem));
        return std::move(out_);
    }

private:
    static bool is_section(const std::string& name) {
        return std::ranges::any_of(setting_table(),
                                   [&](const setting& s) { return s.section() == name; });
    }

    void unknown(const toml::key& key, const std::string& name) {
        problem(key.source(), unknown_setting(name));
        // "[stroe]": everything that it holds was meant for another section.
        const std::string meant = meant_setting(name);
        for (const setting& s : setting_table())
            if (s.key == meant || s.section() == meant) out_.unclear.insert(s.key);
    }

    void inside(const std::string& name, const toml::key& key, const toml::node& node) {
        if (const toml::table* table = node.as_table())
            section(*table, name + ".");
        else
            problem(key.source(), fmt::format("{0} is a section: write [{0}]", name));
    }

    void value(const setting& s, const toml::node& node) {
        if (const auto integer = node.value_exact<std::int64_t>())
            return keep(s, node, value_from_integer(s, *integer));
        if (const auto boolean = node.value_exact<bool>()) {
            if (s.kind == setting_kind::boolean) return keep(s, node, *boolean);
            return wrong_type(s, node, *boolean ? "true" : "false");
        }
        if (const auto text = node.value_exact<std::string>()) {
            // A list, a truth or a plain number written as a text is a mistake in a file.
            if (s.kind == setting_kind::boolean || s.kind == setting_kind::integer ||
                s.kind == setting_kind::list || s.kind == setting_kind::plugins)
                return wrong_type(s, node, "a text");
            return keep(s, node, value_from_text(s, *text));
        }
        if (const toml::array* array = node.as_array()) {
            if (s.kind == setting_kind::list) return texts(s, *array);
            if (s.kind == setting_kind::plugins) return plugins(s, *array);
            return wrong_type(s, node, "a list");
        }
        wrong_type(s, node,
                   node.is_table()            ? "a table"
                   : node.is_floating_point() ? "a fraction"
                                              : "a date or time");
    }

    void texts(const setting& s, const toml::array& array) {
        std::vector<std::string> all;
        for (const toml::node& element : array) {
            if (const auto text = element.value_exact<std::string>())
                all.push_back(*text);
            else
                wrong(s, element, fmt::format("{} holds texts only", s.key));
        }
        keep(s, array, std::move(all));
    }

    void plugins(const setting& s, const toml::array& array) {
        std::vector<plugin_entry> all;
        for (const toml::node& element : array) {
            if (const auto text = element.value_exact<std::string>()) {
                all.push_back({*text, {}, place(element.source())});
            } else if (const toml::table* table = element.as_table()) {
                if (auto entry = plugin(s, *table)) all.push_back(std::move(*entry));
            } else {
                wrong(s, element, fmt::format("{} must be {}", s.key, expectation(s)));
            }
        }
        keep(s, array, std::move(all));
    }

    std::optional<plugin_entry> plugin(const setting& s, const toml::table& table) {
        static const std::vector<std::string> members{"file", "config"};
        plugin_entry entry;
        entry.where = place(table.source());
        bool sound = true;
        for (const auto& [key, node] : table) {
            if (key == "file" && node.is_string()) {
                entry.file = *node.value_exact<std::string>();
            } else if (key == "config" && node.is_table()) {
                std::ostringstream json;
                json << toml::json_formatter{*node.as_table()};
                entry.config_json = std::move(json).str();
            } else if (key == "file" || key == "config") {
                sound = false;
                problem(node.source(), fmt::format("{}: file is a text, config is a table", s.key));
            } else {
                const auto near = nearest_name(key.str(), members);
                problem(key.source(), fmt::format("unknown member {} of {}{}", key.str(), s.key,
                                                  near ? fmt::format("; did you mean {}?", *near)
                                                       : "; it has file and config"));
            }
        }
        if (sound && entry.file.empty()) {
            sound = false;
            problem(table.source(), fmt::format("{}: an entry needs its file", s.key));
        }
        if (!sound) return std::nullopt;
        return entry;
    }

    void keep(const setting& s, const toml::node& node, result<setting_value> read) {
        if (read)
            out_.values.push_back({&s, std::move(*read), place(node.source())});
        else
            wrong(s, node, read.error().client);
    }
    void wrong_type(const setting& s, const toml::node& node, std::string_view found) {
        wrong(s, node, fmt::format("{} must be {}, not {}", s.key, expectation(s), found));
    }
    void wrong(const setting& s, const toml::node& node, std::string text) {
        out_.unclear.insert(s.key);
        problem(node.source(), std::move(text));
    }
    void problem(const toml::source_region& region, std::string text) {
        found_.push_back(
            {{region.begin.line, region.begin.column}, {place(region), std::move(text)}});
    }
    [[nodiscard]] std::string place(const toml::source_region& region) const {
        return fmt::format("{}:{}:{}", file_, region.begin.line, region.begin.column);
    }

    struct finding {
        std::pair<std::uint32_t, std::uint32_t> at;
        settings_problem problem;
    };
    std::string file_;
    std::vector<settings_problem>& problems_;
    std::vector<finding> found_;
    file_values out_;
};

/// The whole file; the error says why not.
result<std::string> text_of(const std::filesystem::path& path) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) return fail(base_errc::io, "it is a folder");
    std::ifstream file{path, std::ios::binary};
    if (!file) return fail(base_errc::io, std::generic_category().message(errno));
    std::string text;
    std::array<char, 4096> part{};
    while (file.read(part.data(), part.size()) || file.gcount() > 0)
        text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (file.bad()) return fail(base_errc::io, "reading it failed");
    return text;
}

file_values nothing_read() {
    file_values none;
    none.read = false;
    return none;
}

/// Whether the parser stops at an assumption of its own within the first lines.
bool breaks_an_assumption(std::string_view text) {
    try {
        (void)toml::parse(text);
    } catch (const toml::parse_error&) {
        return false;
    } catch (const broken_assumption&) {
        return true;
    }
    return false;
}

/// The line whose arrival breaks the parser, counted from 1. It reads from front to back, so all
/// shorter beginnings of the text are sound to it and all longer ones are not.
std::size_t breaking_line(std::string_view text) {
    std::vector<std::size_t> ends;
    for (std::size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
        ends.push_back(at + 1);
    const auto found = std::ranges::partition_point(
        ends, [&](std::size_t end) { return !breaks_an_assumption(text.substr(0, end)); });
    return static_cast<std::size_t>(found - ends.begin()) + 1;
}

bool is_toml(std::string_view text) {
    try {
        (void)toml::parse(text);
    } catch (const toml::parse_error&) {
        return false;
    } catch (const broken_assumption&) {
        return false;
    }
    return true;
}

/// "; a text stands in quotes: body_bytes_max = "…"" when that would make a broken line sound;
/// empty otherwise.
std::string quotes_hint(std::string_view text, std::size_t line) {
    for (std::size_t number = 1; number < line; ++number) {
        const std::size_t end = text.find('\n');
        if (end == text.npos) return {};
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    const auto trimmed = [](std::string_view part) {
        const std::size_t begin = part.find_first_not_of(" \t\r");
        if (begin == part.npos) return std::string_view{};
        return part.substr(begin, part.find_last_not_of(" \t\r") + 1 - begin);
    };
    const std::size_t equals = text.find('=');
    if (equals == text.npos) return {};
    const std::string_view name = trimmed(text.substr(0, equals));
    std::string_view value = text.substr(equals + 1);
    value = trimmed(value.substr(0, value.find('#')));
    if (name.empty() || value.empty() || value.find_first_of("\"'[]{}") != value.npos) return {};
    // Between single quotes a backslash is one.
    const char quote = value.find('\\') == value.npos ? '"' : '\'';
    const std::string quoted = fmt::format("{0} = {2}{1}{2}", name, value, quote);
    if (is_toml(text) || !is_toml(quoted)) return {};
    // Not the value itself: it may be a secret.
    return fmt::format("; a text stands in quotes: {0} = {1}…{1}", name, quote);
}

}  // namespace

std::string meant_setting(const std::string& key) {
    std::set<std::string> names;
    for (const setting& s : setting_table()) {
        names.insert(s.key);
        if (key.find('.') == std::string::npos) names.insert(s.section());
    }
    const std::vector<std::string> candidates{names.begin(), names.end()};
    if (const auto near = nearest_name(key, candidates)) return std::string{*near};
    // The right name in the wrong section, or without one.
    const std::string name = key.substr(key.rfind('.') + 1);
    for (const setting& s : setting_table())
        if (s.name() == name) return s.key;
    return {};
}

std::string unknown_setting(const std::string& key) {
    const std::string meant = meant_setting(key);
    return fmt::format("unknown setting {}{}", key,
                       meant.empty() ? "; `flexcore config show` lists all"
                                     : fmt::format("; did you mean {}?", meant));
}

file_values read_settings_file(const std::filesystem::path& path,
                               std::vector<settings_problem>& problems) {
    const auto text = text_of(path);
    if (!text) {
        problems.push_back({path.empty() ? "the settings file" : path.string(),
                            "cannot be read: " + text.error().client});
        return nothing_read();
    }
    try {
        const toml::table table = toml::parse(std::string_view{*text}, path.string());
        reader read{path.string(), problems};
        read.section(table, "");
        return read.take();
    } catch (const toml::parse_error& e) {
        problems.push_back(
            {fmt::format("{}:{}:{}", path.string(), e.source().begin.line, e.source().begin.column),
             std::string{e.description()} + quotes_hint(*text, e.source().begin.line)});
        return nothing_read();
    } catch (const broken_assumption&) {
        problems.push_back({fmt::format("{}:{}", path.string(), breaking_line(*text)),
                            "is not TOML: a name of letters, digits, - and _ is expected, or one "
                            "in quotes"});
        return nothing_read();
    }
}

}  // namespace flexcore::app
