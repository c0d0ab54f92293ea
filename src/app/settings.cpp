#include "app/settings.hpp"

#include "app/settings_impl.hpp"
#include "base/json.hpp"
#include "base/nearest.hpp"
#include "base/origins.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <initializer_list>

extern char** environ;  // NOLINT: POSIX names it so

namespace flexcore::app {
namespace {

constexpr std::string_view prefix = "FLEXCORE_";
constexpr std::size_t schema_bytes_max = 63;  // of a name in PostgreSQL

/// Variables of ours that are no settings of the server.
bool is_other_variable(std::string_view name) {
    if (name == "FLEXCORE_CONFIG" || name == "FLEXCORE_URL" || name == "FLEXCORE_TENANT")
        return true;
    // Kubernetes sets these for a service called "flexcore".
    return name.starts_with("FLEXCORE_SERVICE_") || name == "FLEXCORE_PORT" ||
           name.starts_with("FLEXCORE_PORT_");
}

class loading {
public:
    void file(const std::filesystem::path& path) {
        file_values found = read_settings_file(path, problems_);
        for (const file_value& v : found.values) keep(*v.what, v.value, v.where);
        unclear_.merge(found.unclear);
        file_read_ = found.read;
    }

    void environment(const std::map<std::string, std::string>& variables) {
        std::vector<std::string> known;
        for (const setting& s : setting_table()) {
            known.push_back(s.variable());
            if (const auto at = variables.find(s.variable()); at != variables.end())
                text(s, at->second, at->first);
            else if (const auto other = variables.find(s.also_variable);
                     !s.also_variable.empty() && other != variables.end())
                text(s, other->second, other->first);
        }
        for (const auto& [name, value] : variables) {
            if (!name.starts_with(prefix) || is_other_variable(name)) continue;
            if (std::ranges::find(known, name) != known.end()) continue;
            const auto near = nearest_name(name, known);
            for (const setting& s : setting_table())
                if (near && s.variable() == *near) unclear_.insert(s.key);
            problems_.push_back(
                {name, fmt::format("no setting has this variable{}",
                                   near ? fmt::format("; did you mean {}?", *near) : "")});
        }
    }

    void flag(const flag_value& f) {
        const setting* s = find_setting(f.key);
        if (s == nullptr) {
            problems_.push_back({f.flag, unknown_setting(f.key)});
            unclear_.insert(meant_setting(f.key));
        } else if (f.adds) {
            add_plugin(*s, f);
        } else {
            text(*s, f.text, f.flag);
        }
    }

    std::expected<loaded_settings, std::vector<settings_problem>> take(named_files named) {
        for (const setting& s : setting_table()) out_.sources.try_emplace(s.key, "default");
        const is_clear clear = [this](const std::string& key) {
            return !unclear_.contains(key) && (file_read_ || out_.sources.at(key) != "default");
        };
        check_together(out_, clear, problems_);
        if (named == named_files::looked_at) check_named(out_, clear, problems_);
        if (!problems_.empty()) return std::unexpected{std::move(problems_)};
        return std::move(out_);
    }

private:
    void keep(const setting& s, const setting_value& value, const std::string& where) {
        s.set(out_.values, value);
        out_.sources[s.key] = where;
        unclear_.erase(s.key);
    }
    void text(const setting& s, const std::string& from, const std::string& where) {
        if (auto value = value_from_text(s, from)) {
            keep(s, *value, where);
        } else {
            problems_.push_back({where, value.error().client});
            unclear_.insert(s.key);
        }
    }
    void add_plugin(const setting& s, const flag_value& f) {
        if (f.text.empty()) return problems_.push_back({f.flag, "needs the path of a file"});
        auto& list = out_.values.plugin_load;
        const auto same = [&](const plugin_entry& e) { return e.file == f.text; };
        // Named again: the entry of the file, with its configuration, already says it.
        const auto earlier = std::ranges::find_if(list, same);
        if (earlier == list.end())
            list.push_back({f.text, {}, f.flag});
        else if (earlier->where == f.flag)
            out_.doubts.push_back(
                {f.flag, fmt::format("{} is given twice and loaded once", f.text)});
        const auto [at, first] = out_.sources.try_emplace(s.key, f.flag);
        if (!first && !at->second.ends_with(f.flag)) at->second += ", " + f.flag;
    }

    loaded_settings out_;
    std::vector<settings_problem> problems_;
    std::set<std::string> unclear_;
    bool file_read_ = true;
};

}  // namespace

std::string loaded_settings::place_of(const std::string& key) const {
    const std::string& source = sources.at(key);
    return source == "default" ? key + " (default)" : source;
}

bool is_loopback(const std::string& host) {
    if (host == "localhost") return true;
    in_addr four{};
    if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    in6_addr six{};
    return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

void check_together(const loaded_settings& loaded, const is_clear& clear,
                    std::vector<settings_problem>& problems) {
    const settings& s = loaded.values;
    // Said of the first of the keys that it is about.
    const auto demand = [&](bool holds, std::initializer_list<const char*> keys,
                            const std::string& text) {
        if (holds || !std::ranges::all_of(keys, clear)) return;
        const std::string key = *keys.begin();
        problems.push_back({loaded.place_of(key), fmt::format("{} {}", key, text)});
    };
    unsigned char address[sizeof(in6_addr)];
    const bool is_address = s.http.host == "localhost" ||
                            ::inet_pton(AF_INET, s.http.host.c_str(), address) == 1 ||
                            ::inet_pton(AF_INET6, s.http.host.c_str(), address) == 1;
    demand(is_address, {"http.host"},
           fmt::format("must be an IP address or localhost, not \"{}\"", s.http.host));
    if (is_address)
        demand(is_loopback(s.http.host) || s.security.allow_anonymous_non_loopback,
               {"http.host", "security.allow_anonymous_non_loopback"},
               fmt::format("is {}, which is not loopback, and there is no authentication: anybody "
                           "who reaches it could do everything. Listen on 127.0.0.1, or set "
                           "security.allow_anonymous_non_loopback = true when something else keeps "
                           "strangers out",
                           s.http.host));
    for (const std::string& one : s.http.cors_origins)
        demand(canonical_origin(one).has_value(), {"http.cors_origins"},
               fmt::format("must list origins such as \"https://app.example.com:8443\", not "
                           "\"{}\"",
                           one));
    demand(s.http.drain < s.runtime.stop_max, {"http.drain_ms", "runtime.stop_ms_max"},
           "must be below runtime.stop_ms_max");
    demand(
        s.store.url == "sqlite:" || s.store.url == "memory:" || store::is_postgres_url(s.store.url),
        {"store.url"},
        fmt::format("must be \"sqlite:\" (its files lie in store.data), a URL that begins with "
                    "\"postgresql://\", or \"memory:\", not \"{}\"",
                    mask_url(s.store.url)));
    demand(!s.store.schema.empty() && s.store.schema.size() <= schema_bytes_max, {"store.schema"},
           "must have 1 to 63 bytes");
    demand(!s.store.data.empty(), {"store.data"}, "must name a folder");
    demand(s.store.batch_events_max <= s.store.queue_events_max,
           {"store.batch_events_max", "store.queue_events_max"},
           "must not be above store.queue_events_max");
    demand(s.store.batch_bytes_max <= s.store.queue_bytes_max,
           {"store.batch_bytes_max", "store.queue_bytes_max"},
           "must not be above store.queue_bytes_max");
    demand(s.http.body_bytes_max <= s.store.queue_bytes_max,
           {"http.body_bytes_max", "store.queue_bytes_max"},
           "must not be above store.queue_bytes_max, or such a body could never be written");
    demand(s.projections.retry_delay <= s.projections.retry_delay_max,
           {"projections.retry_delay_ms", "projections.retry_delay_ms_max"},
           "must not be above projections.retry_delay_ms_max");
}

std::expected<loaded_settings, std::vector<settings_problem>> load_settings(
    const setting_inputs& in, named_files named) {
    loading load;
    if (in.file) load.file(*in.file);
    load.environment(in.environment);
    for (const flag_value& f : in.flags) load.flag(f);
    return load.take(named);
}

std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            all.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

std::string to_text(const std::vector<settings_problem>& problems) {
    std::string out;
    for (const settings_problem& p : problems) out += fmt::format("{}: {}\n", p.where, p.text);
    return out;
}

namespace {
setting_value shown(const setting& s, const settings& values) {
    setting_value value = s.get(values);
    if (s.secret) value = mask_url(std::get<std::string>(value));
    return value;
}
}  // namespace

std::string settings_as_toml(const loaded_settings& loaded) {
    std::string out, section;
    for (const setting& s : setting_table()) {
        if (s.section() != section) {
            section = s.section();
            out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
        }
        const std::string value =
            fmt::format("{} = {}", s.name(), value_as_toml(s, shown(s, loaded.values)));
        out += fmt::format("{:<44} # {}\n", value, loaded.sources.at(s.key));
    }
    return out;
}

std::string settings_as_json(const loaded_settings& loaded) {
    boost::json::object out;
    for (const setting& s : setting_table()) {
        boost::json::value json;
        const setting_value value = shown(s, loaded.values);
        if (const auto* entries = std::get_if<std::vector<plugin_entry>>(&value)) {
            // A plugin's configuration may hold secrets: only its files are shown.
            auto& array = json.emplace_array();
            for (const plugin_entry& entry : *entries) array.emplace_back(entry.file.string());
        } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
            json.emplace_array() = boost::json::array(texts->begin(), texts->end());
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            json = *text;
        } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
            json = *number;
        } else {
            json = std::get<bool>(value);
        }
        out[s.key] = {{"value", std::move(json)}, {"source", loaded.sources.at(s.key)}};
    }
    return boost::json::serialize(out);
}

}  // namespace flexcore::app
