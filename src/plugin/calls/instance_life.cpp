// From create to unmap: the part of an instance's life that happens once.
#include "base/names.hpp"
#include "plugin/calls/failure.hpp"
#include "plugin/calls/instance.hpp"
#include "plugin/calls/message.hpp"
#include "runtime/thread.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace flexcore::plugin {
namespace {

constexpr std::size_t error_text_max = std::size_t{4} << 10;
constexpr auto quiet_poll = std::chrono::milliseconds{1};

/// The plugin's text, taken over and released.
std::string take_text(fxc_buffer& buffer) {
    std::string text;
    if (const auto bytes = text_of({buffer.data, buffer.size}, error_text_max))
        text = to_utf8(*bytes);
    if (buffer.release != nullptr) buffer.release(&buffer);
    buffer = {};
    return text;
}

std::string or_status(const std::string& text, fxc_status status) {
    return text.empty() ? fmt::format("status {}", status) : text;
}

}  // namespace

result<void> instance::create(const std::string& config_json) {
    const fxc_library& table = library_.table();
    const auto refuse = [](std::string_view what, const std::string& why) {
        return fail(plugin_errc::refused, fmt::format("its {} failed: {}", what, why));
    };
    fxc_status status = FXC_INTERNAL;
    if (auto thrown = guard(name(), [&] { status = table.open(&host_.host); }))
        return refuse("open", *thrown);
    if (status != FXC_OK) return refuse("open", fmt::format("status {}", status));
    opened_ = true;

    fxc_buffer error_out{};
    fxc_instance* made = nullptr;
    auto thrown =
        guard(name(), [&] { status = table.create(0, view_of(config_json), &made, &error_out); });
    if (thrown) return refuse("create", *thrown);
    std::string text;
    if (auto again = guard(name(), [&] { text = take_text(error_out); }))
        return refuse("create", *again);
    if (status != FXC_OK) return refuse("create", or_status(text, status));
    if (made == nullptr)
        return fail(plugin_errc::bad_abi, "breaks the plugin ABI: create gave no instance");
    object_ = made;
    auto tables = check_interfaces(library_, object_);
    if (!tables) return fail(std::move(tables).error());
    tables_ = *tables;
    return {};
}

call_outcome instance::lifecycle_call(call_kind kind, deadline until) {
    auto opened = open(kind, until);
    if (!opened) {
        call_outcome refused;
        refused.failure = std::make_unique<call_failure>(
            call_failure{call_failure::origin::host, FXC_BUSY, {}, {}, std::move(opened).error()});
        return refused;
    }
    call& of = **opened;
    fill_nothing(of);
    if (kind == call_kind::drain) drain_handle_ = of.handle();

    struct latch {
        std::mutex mutex;
        std::condition_variable changed;
        std::optional<call_outcome> outcome;
        bool returned = false;
    };
    auto waits = std::make_shared<latch>();
    of.direct = true;
    of.done = [waits](call_outcome&& outcome) {
        const std::lock_guard lock{waits->mutex};
        waits->outcome = std::move(outcome);
        waits->changed.notify_all();
    };
    std::thread runner =
        runtime::start_thread("plugin", [self = shared_from_this(), &of, waits]() mutable {
            self->run(of);
            self.reset();
            const std::lock_guard lock{waits->mutex};
            waits->returned = true;
            waits->changed.notify_all();
        });
    std::unique_lock lock{waits->mutex};
    // The call may be answered long after it returned, or before; the deadline answers what does
    // neither.
    waits->changed.wait(lock, [&] { return waits->outcome.has_value() || waits->returned; });
    if (waits->changed.wait_until(lock, until, [&] { return waits->returned; })) {
        lock.unlock();
        runner.join();
        lock.lock();
    } else {
        runner.detach();  // it hangs inside the plugin; the instance stays as long
    }
    waits->changed.wait(lock, [&] { return waits->outcome.has_value(); });
    call_outcome outcome = *std::move(waits->outcome);
    lock.unlock();
    return outcome;
}

result<void> instance::start() {
    const auto outcome =
        lifecycle_call(call_kind::start, monotonic::now() + environment_.settings.start_timeout);
    if (!outcome.failure) return {};
    if (outcome.failure->from == call_failure::origin::deadline)
        return fail(plugin_errc::timeout, "its start did not end in time");
    return fail(plugin_errc::refused,
                fmt::format("its start failed: {}", failure_text(*outcome.failure)));
}

result<void> instance::drain(deadline until) {
    // A drain that missed an earlier deadline is not begun twice; what it has done since counts.
    const fxc_call before = drain_handle_.load();
    while (before != 0 && cancelled(before).has_value() && monotonic::now() < until)
        std::this_thread::sleep_for(quiet_poll);
    if (before != 0 && cancelled(before).has_value())
        return fail(plugin_errc::drain_timeout, "its drain, begun earlier, has not ended");
    if (drained_late_) return {};
    const auto outcome = lifecycle_call(call_kind::drain, until);
    if (!outcome.failure) return {};
    if (outcome.failure->from == call_failure::origin::deadline)
        return fail(plugin_errc::drain_timeout,
                    fmt::format("its drain did not end in time: {}", why_not_quiet()));
    return fail(plugin_errc::failed,
                fmt::format("its drain failed: {}", failure_text(*outcome.failure)));
}

bool instance::wait_until_quiet(deadline until) const {
    const auto quiet = [&] {
        return calls_.in_flight() == 0 && inside_.load() == 0 && states_.load() == 0;
    };
    while (!quiet()) {
        if (monotonic::now() >= until) return false;
        std::this_thread::sleep_for(quiet_poll);
    }
    return true;
}

std::string instance::why_not_quiet() const {
    std::size_t open = 0;
    auto oldest = monotonic::now();
    calls_.each([&](call& of) {
        const std::lock_guard lock{of.guard};
        if (!of.published || of.kind == call_kind::drain) return;
        ++open;
        oldest = std::min(oldest, of.began);
    });
    if (open > 0)
        return fmt::format(
            "{} call{}, oldest {} s", open, open == 1 ? "" : "s",
            std::chrono::duration_cast<std::chrono::seconds>(monotonic::now() - oldest).count());
    if (inside_.load() > 0) return fmt::format("{} threads inside", inside_.load());
    if (states_.load() > 0) return fmt::format("{} aggregate states held", states_.load());
    return "nothing in flight";
}

void instance::destroy() {
    if (object_ != nullptr) {
        if (auto thrown = guard(name(), [&] { library_.table().destroy(object_); }))
            telemetry::log(telemetry::level::error, "plugin", "destroy threw an exception",
                           {{"plugin", name()}, {"why", std::string_view{*thrown}}});
        object_ = nullptr;
    }
    if (opened_) {
        if (auto thrown = guard(name(), [&] { library_.table().close(); }))
            telemetry::log(telemetry::level::error, "plugin", "close threw an exception",
                           {{"plugin", name()}, {"why", std::string_view{*thrown}}});
        opened_ = false;
    }
    publish_metrics();
}

bool instance::unmap() {
    if ((library_.info().flags & FXC_UNLOADABLE) == 0) return false;
    return library_.unmap();
}

void instance::cut_off() {
    closed_ = true;
    publish_metrics();
    {
        const std::lock_guard lock{publish_mutex_};
        abandoned_ = true;
    }
    metrics_.stop();
    gate_.close();
    calls_.each([&](call& of) {
        std::unique_lock lock{of.guard};
        if (!of.published || of.answered) return;
        of.answered = true;
        delivery out{std::move(of.done), {}, {}, true};
        of.done = {};
        out.outcome.failure = std::make_unique<call_failure>(
            call_failure{call_failure::origin::deadline, FXC_CANCELLED, {}, {}, {}});
        lock.unlock();
        deliver(out);
    });
}

void instance::abandon(const std::shared_ptr<instance>& left) {
    left->cut_off();
    static std::mutex mutex;
    static auto* const all = new std::vector<std::shared_ptr<instance>>;
    const std::lock_guard lock{mutex};
    all->push_back(left);
}

}  // namespace flexcore::plugin
