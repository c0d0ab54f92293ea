#include "plugin/plugin_host.hpp"

#include "base/json.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/message.hpp"
#include "plugin/loading/catalogue.hpp"
#include "plugin/loading/library.hpp"
#include "plugin/resident_impl.hpp"
#include "schema/schema.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

namespace flexcore::plugin {
namespace {

std::string configuration(std::string_view given) {
    return given.empty() ? std::string{"{}"} : std::string{given};
}

/// What a plugin gets at the end of the server at the least, when others have used up the time.
constexpr auto last_share = std::chrono::seconds{1};

result<void> check_configuration(const std::string& schema_text, const std::string& config) {
    auto value = json::to_value(config);
    if (!value)
        return fail(plugin_errc::bad_config,
                    fmt::format("its configuration is not valid JSON: {}", value.error().client));
    if (!value->is_object())
        return fail(plugin_errc::bad_config, "its configuration must be a JSON object");
    if (schema_text.empty()) return {};
    const auto compiled = schema::compile(schema_text);
    if (!compiled)
        return fail(plugin_errc::bad_abi,
                    fmt::format("its config_schema does not compile: {}", compiled.error().client));
    const auto violations = compiled->validate(*value);
    if (violations.empty()) return {};
    error why{make_error_code(plugin_errc::bad_config),
              fmt::format("its configuration breaks its schema: {}: {}",
                          violations.front().pointer.empty() ? "/" : violations.front().pointer,
                          violations.front().detail)};
    why.members = violations_to_error(violations, "").members;
    return fail(std::move(why));
}

}  // namespace

struct plugin_host::state {
    state(plugin_settings s, wiring w)
        : settings{std::move(s)}, to{w}, lent{to.workers, to.timers, to.metrics, names, settings} {}

    const plugin_settings settings;
    wiring to;
    metric_names names;
    const environment lent;

    std::timed_mutex turn;  // of load, unload and stop; plugin code runs in it, which may hang
    bool stopped = false;
    std::uint64_t loads = 0;

    mutable std::mutex mutex;  // of the list
    std::map<std::string, std::shared_ptr<resident>, std::less<>> residents;

    [[nodiscard]] std::shared_ptr<resident> find(std::string_view name) const {
        const std::lock_guard lock{mutex};
        const auto at = residents.find(name);
        return at == residents.end() ? nullptr : at->second;
    }
    /// Not found when it is retired.
    [[nodiscard]] result<std::shared_ptr<resident>> find_in_service(std::string_view name) const {
        auto found = find(name);
        if (!found || found->current() == phase::retired)
            return fail(plugin_errc::not_found, fmt::format("no plugin is named \"{}\"", name));
        return found;
    }

    [[nodiscard]] result<std::shared_ptr<resident>> load(const std::filesystem::path&,
                                                         std::string_view config_json);
    [[nodiscard]] result<void> bring_up(resident&, const std::string& config);
    void take_down(const std::shared_ptr<instance>&);
    [[nodiscard]] result<void> unload(resident&, deadline until);
    void give_up(resident&);

    [[nodiscard]] std::unique_lock<std::timed_mutex> take_turn() {
        return std::unique_lock{turn, settings.start_timeout};
    }
    [[nodiscard]] static std::unexpected<error> not_my_turn() {
        return fail(plugin_errc::busy, "another plugin is being loaded or unloaded; try again");
    }
};

// ---- load

result<std::shared_ptr<resident>> plugin_host::state::load(const std::filesystem::path& path,
                                                           std::string_view config_json) {
    if (stopped) return fail(plugin_errc::refused, "the server is stopping");
    const std::string stem = path.stem().native();
    if (const auto there = find(stem); there && there->current() != phase::retired)
        return fail(plugin_errc::already_loaded,
                    fmt::format("a plugin named \"{}\" is loaded", stem));

    auto file = library::load(path, settings.dirs);
    if (!file) return fail(std::move(file).error());
    const std::string config = configuration(config_json);
    auto brings = catalogue::parse(file->info());
    result<void> checked;
    if (brings) {
        checked = check_configuration(file->info().config_schema, config);
    } else {
        checked = fail(brings.error());
    }
    if (checked && file->name() != stem)  // a symbolic link under another name
        if (const auto there = find(file->name()); there && there->current() != phase::retired)
            checked = fail(plugin_errc::already_loaded,
                           fmt::format("a plugin named \"{}\" is loaded", file->name()));
    if (!checked) {
        (void)file->unmap();  // nothing of it runs: `open` was not called
        return fail(std::move(checked).error());
    }
    for (const auto& capability : file->info().capabilities)
        telemetry::log(telemetry::level::warn, "plugin", "a capability is not granted",
                       {{"plugin", file->name()}, {"capability", std::string_view{capability}}});

    auto made = std::make_shared<resident>(
        std::make_shared<instance>(*std::move(file), *std::move(brings), lent), to,
        settings.health_every);
    if (auto up = bring_up(*made, config); !up) return fail(std::move(up).error());
    made->order = ++loads;
    {
        const std::lock_guard lock{mutex};
        residents[made->of->name()] = made;
    }
    to.changes.bump_all();
    to.health.add(made->health_name(), false, [watched = std::weak_ptr{made}] {
        const auto there = watched.lock();
        return there ? there->report() : telemetry::health_report{};
    });
    resident::watch_health(made);
    return made;
}

result<void> plugin_host::state::bring_up(resident& r, const std::string& config) {
    const auto& of = r.of;
    if (auto created = of->create(config); !created) {
        take_down(of);
        return created;
    }
    if (auto started = of->start(); !started) {
        // A start that hangs is inside still: nothing of the plugin may go.
        if (of->wait_until_quiet(monotonic::now())) {
            take_down(of);
        } else {
            instance::abandon(of);
        }
        return started;
    }
    auto added = r.registered.add(of);
    if (added) return added;
    of->close();
    const auto until = monotonic::now() + settings.drain_timeout;
    if (r.registered.wait_removed(until) && of->drain(until) && of->wait_until_quiet(until)) {
        take_down(of);
    } else {
        instance::abandon(of);
    }
    return added;
}

/// destroy, close, unmap: of an instance that is quiet.
void plugin_host::state::take_down(const std::shared_ptr<instance>& of) {
    of->close();
    of->destroy();
    if (!of->unmap()) instance::abandon(of);
}

// ---- unload

result<void> plugin_host::state::unload(resident& r, deadline until) {
    const auto& of = r.of;
    r.enter(phase::draining);
    const auto late = [&](std::string_view what) {
        return fail(plugin_errc::drain_timeout,
                    fmt::format("{}: {}; it stays in draining", what, of->why_not_quiet()));
    };
    r.registered.remove();
    if (!r.registered.wait_removed(until)) return late("its work did not end in time");
    of->close();
    if (!r.drained) {
        if (auto drained = of->drain(until); !drained) return drained;
        r.drained = true;
    }
    if (!of->wait_until_quiet(until)) return late("calls are still open");
    to.health.remove(r.health_name());
    of->destroy();
    to.changes.bump_all();
    if (of->unmap()) {
        const std::lock_guard lock{mutex};
        residents.erase(of->name());
        return {};
    }
    r.enter(phase::retired);
    instance::abandon(of);
    to.metrics
        .gauge_for("flexcore_plugin_retired", "Plugins out of service that stay mapped",
                   {{"plugin", of->name()}})
        .add(1);
    return {};
}

/// At the end of the server: what would not drain is left as it is, cut off from us.
void plugin_host::state::give_up(resident& r) {
    to.health.remove(r.health_name());
    instance::abandon(r.of);
    r.enter(phase::retired);
}

// ---- the promise

plugin_host::plugin_host(plugin_settings settings, wiring to)
    : state_{std::make_unique<state>(std::move(settings), to)} {}
plugin_host::~plugin_host() { stop(); }

result<plugin_status> plugin_host::load(const std::filesystem::path& path,
                                        std::string_view config_json) {
    const auto turn = state_->take_turn();
    if (!turn) return state::not_my_turn();
    auto loaded = state_->load(path, config_json);
    if (!loaded) {
        const auto& why = loaded.error();
        telemetry::log(telemetry::level::error, "plugin", "a plugin was not loaded",
                       {{"path", std::string_view{path.native()}},
                        {"why", std::string_view{why.client}},
                        {"detail", std::string_view{why.log}}});
        return fail(std::move(loaded).error());
    }
    auto status = (*loaded)->status();
    telemetry::log(telemetry::level::info, "plugin", "a plugin serves",
                   {{"plugin", std::string_view{status.name}},
                    {"id", std::string_view{status.id}},
                    {"version", std::string_view{status.version}}});
    return status;
}

result<void> plugin_host::unload(std::string_view name) {
    const auto turn = state_->take_turn();
    if (!turn) return state::not_my_turn();
    auto found = state_->find_in_service(name);
    if (!found) return fail(std::move(found).error());
    auto gone = state_->unload(**found, monotonic::now() + state_->settings.drain_timeout);
    if (gone) {
        telemetry::log(telemetry::level::info, "plugin", "a plugin is out of service",
                       {{"plugin", name}});
    } else {
        telemetry::log(telemetry::level::warn, "plugin", "a plugin could not be unloaded",
                       {{"plugin", name}, {"why", std::string_view{gone.error().client}}});
    }
    return gone;
}

std::vector<plugin_status> plugin_host::list() const {
    std::vector<std::shared_ptr<resident>> all;
    {
        const std::lock_guard lock{state_->mutex};
        for (const auto& [name, r] : state_->residents) all.push_back(r);
    }
    std::vector<plugin_status> statuses;
    statuses.reserve(all.size());
    for (const auto& r : all) statuses.push_back(r->status());
    return statuses;
}

result<plugin_status> plugin_host::status(std::string_view name) const {
    const auto found = state_->find(name);
    if (!found) return fail(plugin_errc::not_found, fmt::format("no plugin is named \"{}\"", name));
    return found->status();
}

void plugin_host::health(std::string_view name,
                         std::move_only_function<void(result<telemetry::health_report>)> done) {
    auto found = state_->find_in_service(name);
    if (!found) return done(fail(std::move(found).error()));
    (*found)->of->ask_health(std::move(done));
}

void plugin_host::execute(std::string_view name, const bus::caller& who,
                          std::string_view content_type, std::string input, deadline until,
                          std::move_only_function<void(result<std::string>)> done) {
    auto found = state_->find_in_service(name);
    if (!found) return done(fail(std::move(found).error()));
    const auto& of = (*found)->of;
    if ((*found)->current() != phase::serving)
        return done(fail(plugin_errc::draining, "the plugin is going out of service"));
    if (of->tables().processor == nullptr)
        return done(fail(plugin_errc::unsupported, "the plugin does not process messages"));
    auto opened = of->open(call_kind::process, until);
    if (!opened) return done(fail(std::move(opened).error()));
    call& made = **opened;
    fill_input(made, who, of->name(), content_type, std::move(input));
    made.handler = of->tables().processor->handle;
    made.on_worker = false;
    made.done = [plugin = of, done = std::move(done)](call_outcome&& outcome) mutable {
        if (outcome.failure) return done(fail(execute_error(*outcome.failure, plugin->name())));
        done(std::move(outcome.result));
    };
    of->run(made);
}

void plugin_host::stop() {
    const std::lock_guard turn{state_->turn};
    state_->stopped = true;
    std::vector<std::shared_ptr<resident>> all;
    {
        const std::lock_guard lock{state_->mutex};
        for (const auto& [name, r] : state_->residents)
            if (r->current() != phase::retired) all.push_back(r);
    }
    std::ranges::sort(all, std::greater{}, &resident::order);
    const auto most = state_->settings.drain_timeout;
    const auto least = std::min<monotonic::duration>(most, last_share);
    const deadline all_until = monotonic::now() + most;
    for (const auto& r : all) {
        const deadline until = std::max(all_until, monotonic::now() + least);
        if (const auto gone = state_->unload(*r, until); !gone) {
            telemetry::log(
                telemetry::level::error, "plugin",
                "a plugin did not drain; it is left to the end of the process",
                {{"plugin", r->of->name()}, {"why", std::string_view{gone.error().client}}});
            state_->give_up(*r);
        }
    }
}

}  // namespace flexcore::plugin
