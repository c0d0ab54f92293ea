// description: what a plugin is and brings, said once. The catalogue's JSON and the dispatch to the
// plugin's functions both come from it.
//
// Schemas and parameters are texts of JSON Schema draft 7; they go into the catalogue as they are.
#pragma once

#include <concepts>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "aggregate.hpp"
#include "completion.hpp"
#include "services.hpp"

namespace flexcore::plugin {

/// A query as asked.
struct query {
    std::string_view name;
    std::string_view params;  ///< a JSON object that fits the query's schema
    plugin::call call;
};

namespace detail {

inline std::string list(const std::vector<std::string>& texts) {
    std::string out{"["};
    for (const auto& each : texts) {
        if (out.size() > 1) out += ',';
        out += json_text(each);
    }
    return out += ']';
}
inline void member(std::string& object, std::string_view name, std::string_view json) {
    if (object.size() > 1) object += ',';
    object += json_text(name);
    object += ':';
    object += json;
}
template <class Parts>
std::string array(const Parts& parts) {
    std::string out{"["};
    for (const auto& part : parts) {
        if (out.size() > 1) out += ',';
        out += part.json();
    }
    return out += ']';
}

}  // namespace detail

/// A command or an event of an aggregate.
class type_entry {
public:
    type_entry(std::string type, std::uint32_t schema_version)
        : type_{std::move(type)}, schema_version_{schema_version} {}
    type_entry& describe(std::string sentence) {
        description_ = std::move(sentence);
        return *this;
    }
    /// Of the command's or event's data. A command that breaks it never reaches the plugin.
    type_entry& schema(std::string json_schema) {
        schema_ = std::move(json_schema);
        return *this;
    }
    [[nodiscard]] std::string json() const {
        std::string out{"{"};
        detail::member(out, "type", detail::json_text(type_));
        if (schema_version_ != 0)
            detail::member(out, "schema_version", std::to_string(schema_version_));
        if (!description_.empty())
            detail::member(out, "description", detail::json_text(description_));
        if (!schema_.empty()) detail::member(out, "schema", schema_);
        return out += '}';
    }

private:
    std::string type_;
    std::uint32_t schema_version_;  ///< 0: not said
    std::string description_;
    std::string schema_;
};

class aggregate_entry {
public:
    aggregate_entry(std::string category, std::uint32_t reducer_version)
        : category_{std::move(category)}, reducer_version_{reducer_version} {}
    type_entry& command(std::string type) { return commands_.emplace_back(std::move(type), 0u); }
    type_entry& event(std::string type, std::uint32_t schema_version = 1) {
        return events_.emplace_back(std::move(type), schema_version);
    }
    [[nodiscard]] const std::string& category() const noexcept { return category_; }
    [[nodiscard]] std::string json() const {
        std::string out{"{"};
        detail::member(out, "category", detail::json_text(category_));
        detail::member(out, "reducer_version", std::to_string(reducer_version_));
        detail::member(out, "commands", detail::array(commands_));
        detail::member(out, "events", detail::array(events_));
        return out += '}';
    }

private:
    std::string category_;
    std::uint32_t reducer_version_;
    std::deque<type_entry> commands_;
    std::deque<type_entry> events_;
};

class projection_entry {
public:
    projection_entry(std::string name, std::uint32_t version)
        : name_{std::move(name)}, version_{version} {}
    /// What it is shown: within one list any matches (tags: all), between lists all must hold.
    projection_entry& types(std::vector<std::string> names) {
        types_ = std::move(names);
        return *this;
    }
    projection_entry& categories(std::vector<std::string> names) {
        categories_ = std::move(names);
        return *this;
    }
    projection_entry& tags(std::vector<std::string> names) {
        tags_ = std::move(names);
        return *this;
    }
    /// The read models it alone writes.
    projection_entry& writes(std::vector<std::string> models) {
        writes_ = std::move(models);
        return *this;
    }
    /// The answer to a command waits (bounded) until the projection has its events.
    projection_entry& inline_mode() {
        inline_ = true;
        return *this;
    }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::string json() const {
        std::string selector{"{"};
        if (!types_.empty()) detail::member(selector, "types", detail::list(types_));
        if (!categories_.empty()) detail::member(selector, "categories", detail::list(categories_));
        if (!tags_.empty()) detail::member(selector, "tags", detail::list(tags_));
        std::string out{"{"};
        detail::member(out, "name", detail::json_text(name_));
        detail::member(out, "version", std::to_string(version_));
        detail::member(out, "selector", selector += '}');
        detail::member(out, "mode", inline_ ? "\"inline\"" : "\"async\"");
        detail::member(out, "writes", detail::list(writes_));
        return out += '}';
    }

private:
    std::string name_;
    std::uint32_t version_;
    std::vector<std::string> types_, categories_, tags_, writes_;
    bool inline_ = false;
};

class read_model_entry {
public:
    explicit read_model_entry(std::string name) : name_{std::move(name)} {}
    /// Top-level fields of the row that scans may compare and order by.
    read_model_entry& indexed(std::vector<std::string> names) {
        indexed_ = std::move(names);
        return *this;
    }
    read_model_entry& describe(std::string sentence) {
        description_ = std::move(sentence);
        return *this;
    }
    [[nodiscard]] std::string json() const {
        std::string out{"{"};
        detail::member(out, "name", detail::json_text(name_));
        detail::member(out, "indexed", detail::list(indexed_));
        if (!description_.empty())
            detail::member(out, "description", detail::json_text(description_));
        return out += '}';
    }

private:
    std::string name_;
    std::vector<std::string> indexed_;
    std::string description_;
};

class query_entry {
public:
    explicit query_entry(std::string name) : name_{std::move(name)} {}
    query_entry& describe(std::string sentence) {
        description_ = std::move(sentence);
        return *this;
    }
    query_entry& params(std::string json_schema) {
        schema_ = std::move(json_schema);
        return *this;
    }
    query_entry& reads(std::vector<std::string> models) {
        reads_ = std::move(models);
        return *this;
    }
    /// The answer depends on who asks.
    query_entry& varies_by_principal() {
        by_principal_ = true;
        return *this;
    }
    query_entry& uncached() {
        cache_ = false;
        return *this;
    }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::string json() const {
        std::string out{"{"};
        detail::member(out, "name", detail::json_text(name_));
        if (!description_.empty())
            detail::member(out, "description", detail::json_text(description_));
        if (!schema_.empty()) detail::member(out, "schema", schema_);
        detail::member(out, "reads", detail::list(reads_));
        if (by_principal_) detail::member(out, "varies_by", "[\"principal\"]");
        if (!cache_) detail::member(out, "cache", "false");
        return out += '}';
    }

private:
    std::string name_;
    std::string description_;
    std::string schema_;
    std::vector<std::string> reads_;
    bool by_principal_ = false;
    bool cache_ = true;
};

template <class Plugin>
class description {
public:
    std::string id;                          ///< "com.example.geocoder"
    std::string version;                     ///< semantic version
    std::string config_schema;               ///< of the configuration; empty: an object, any
    std::vector<std::string> capabilities;   ///< "bus.send", …
    std::uint32_t in_flight_max = 0;         ///< 0 is the host's default
    std::uint32_t projection_batch_max = 0;  ///< events per batch, 0 is the host's default
    bool reentrant = false;                  ///< handlers may run concurrently on one instance
    bool unloadable = false;  ///< leaves no thread and no thread_local behind: safe to unmap
    bool isolate = false;     ///< asks for a process of its own

    /// `reducer_version` grows when `state` or `evolve` change: older snapshots are then ignored.
    template <class Rules>
    aggregate_entry& aggregate(std::string category, std::uint32_t reducer_version = 1) {
        loaders_.push_back([](std::string_view snapshot) {
            return std::unique_ptr<detail::aggregate_state<Plugin>>{
                std::make_unique<detail::state_of<Plugin, Rules>>(snapshot)};
        });
        return aggregates_.emplace_back(std::move(category), reducer_version);
    }

    /// `each` is called per event: ([Plugin&,] const event&, projection_views&). A function or a
    /// member function of the plugin. A throw fails the batch and names the event.
    /// `rows_version` grows when the rows change meaning: the host then rebuilds them.
    template <class Each>
    projection_entry& projection(std::string name, Each each, std::uint32_t rows_version = 1) {
        appliers_.push_back([each = std::move(each)](Plugin& plugin, const auto& events,
                                                     projection_views& into) {
            for_each(events, into, [&](const event& happened) {
                if constexpr (std::invocable<const Each&, Plugin&, const event&, projection_views&>)
                    std::invoke(each, plugin, happened, into);
                else
                    std::invoke(each, happened, into);
            });
        });
        return projections_.emplace_back(std::move(name), rows_version);
    }
    /// `Batch` is made for each batch of events, `Batch{projection_views&}`; then `apply(event)`
    /// runs for each and `finish()` once: for rows that change often, written once per batch.
    template <class Batch>
    projection_entry& batch_projection(std::string name, std::uint32_t rows_version = 1) {
        appliers_.push_back([](Plugin&, const auto& events, projection_views& into) {
            Batch batch{into};
            for_each(events, into, [&](const event& happened) { batch.apply(happened); });
            batch.finish();
        });
        return projections_.emplace_back(std::move(name), rows_version);
    }

    read_model_entry& read_model(std::string name) {
        return read_models_.emplace_back(std::move(name));
    }

    /// `answer` is ([Plugin&,] const query&, const views&) and returns JSON text, or an
    /// std::optional of it when the query asks for one thing: none is "not found". With a
    /// `completion&` as last parameter it returns nothing and may move the completion away, to
    /// answer later from any thread; query and views live until then (copy the objects).
    template <class Answer>
    query_entry& query(std::string name, Answer answer) {
        handlers_.push_back([answer = std::move(answer)](Plugin& plugin, const plugin::query& asked,
                                                         const views& from, completion& done) {
            ask(answer, plugin, asked, from, done);
        });
        return queries_.emplace_back(std::move(name));
    }

    // For the tables.
    using events_span = std::pair<const fxc_message* const*, std::size_t>;
    using loader =
        std::function<std::unique_ptr<detail::aggregate_state<Plugin>>(std::string_view)>;
    using applier = std::function<void(Plugin&, const events_span&, projection_views&)>;
    using handler = std::function<void(Plugin&, const plugin::query&, const views&, completion&)>;

    [[nodiscard]] const loader* find_aggregate(std::string_view category) const noexcept {
        return find(aggregates_, loaders_, category, &aggregate_entry::category);
    }
    [[nodiscard]] const applier* find_projection(std::string_view name) const noexcept {
        return find(projections_, appliers_, name, &projection_entry::name);
    }
    [[nodiscard]] const handler* find_query(std::string_view name) const noexcept {
        return find(queries_, handlers_, name, &query_entry::name);
    }
    [[nodiscard]] bool has_aggregates() const noexcept { return !aggregates_.empty(); }
    [[nodiscard]] bool has_projections() const noexcept { return !projections_.empty(); }
    [[nodiscard]] bool has_queries() const noexcept { return !queries_.empty(); }

    [[nodiscard]] std::string catalogue() const {
        std::string out{"{"};
        detail::member(out, "aggregates", detail::array(aggregates_));
        detail::member(out, "projections", detail::array(projections_));
        detail::member(out, "read_models", detail::array(read_models_));
        detail::member(out, "queries", detail::array(queries_));
        return out += '}';
    }

private:
    template <class Entries, class Functions, class Name>
    static auto find(const Entries& entries, const Functions& functions, std::string_view name,
                     Name name_of) noexcept -> const typename Functions::value_type* {
        for (std::size_t i = 0; i < entries.size(); ++i)
            if (std::invoke(name_of, entries[i]) == name) return &functions[i];
        return nullptr;
    }

    template <class Body>
    static void for_each(const events_span& events, projection_views& into, const Body& body) {
        for (std::size_t i = 0; i < events.second; ++i) {
            const event happened{*events.first[i]};
            into.at(happened.position());
            try {
                body(happened);
            } catch (const failure& why) {
                throw poisoned(happened, why.status(), why.what());
            } catch (const std::exception& why) {
                throw poisoned(happened, FXC_INTERNAL, why.what());
            }
        }
    }
    static failure poisoned(const event& happened, fxc_status status, const char* why) {
        const auto position = std::to_string(happened.position());
        auto what = std::string{happened.type()} + " at position " + position + ": " + why;
        // These say that the moment is wrong, not the event.
        if (status == FXC_BUSY || status == FXC_TIMEOUT || status == FXC_CANCELLED ||
            status == FXC_UNAVAILABLE)
            return {status, std::move(what)};
        return {status, std::move(what), "{\"position\":" + position + "}"};
    }

    template <class Answer>
    static void ask(const Answer& answer, Plugin& plugin, const plugin::query& asked,
                    const views& from, completion& done) {
        detail::guarded(done, [&] {
            using q = const plugin::query&;
            using v = const views&;
            if constexpr (std::invocable<const Answer&, Plugin&, q, v, completion&>)
                std::invoke(answer, plugin, asked, from, done);
            else if constexpr (std::invocable<const Answer&, q, v, completion&>)
                std::invoke(answer, asked, from, done);
            else if constexpr (std::invocable<const Answer&, Plugin&, q, v>)
                finish(done, std::invoke(answer, plugin, asked, from));
            else
                finish(done, std::invoke(answer, asked, from));
        });
    }
    static void finish(completion& done, std::string json) { done.succeed(std::move(json)); }
    static void finish(completion& done, std::optional<std::string> json) {
        if (!json) return done.fail(FXC_NOT_FOUND, "nothing found");
        done.succeed(std::move(*json));
    }

    std::deque<aggregate_entry> aggregates_;
    std::deque<projection_entry> projections_;
    std::deque<read_model_entry> read_models_;
    std::deque<query_entry> queries_;
    std::vector<loader> loaders_;
    std::vector<applier> appliers_;
    std::vector<handler> handlers_;
};

}  // namespace flexcore::plugin
