#include "unit/sdk/loaded_plugin.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace flexcore::test {
namespace {

fxc_view view(std::string_view text) { return {text.data(), text.size()}; }
std::string taken(fxc_buffer& buffer) {
    std::string out{static_cast<const char*>(buffer.data), static_cast<std::size_t>(buffer.size)};
    if (buffer.release != nullptr) buffer.release(&buffer);
    return out;
}

/// Messages over events of the log, with everything they point into.
class messages {
public:
    explicit messages(const std::vector<const logged_event*>& events) {
        tags_.reserve(events.size());
        raw_.reserve(events.size());
        for (const auto* each : events) {
            auto& tags = tags_.emplace_back();
            for (const auto& tag : each->tags) tags.push_back(view(tag));
            fxc_message raw{};
            raw.struct_size = sizeof raw;
            raw.type = view(each->type);
            raw.id = view("0192f0c1-2ad7-7d5c-8d7e-000000000001");
            raw.stream = view(each->stream);
            raw.content_type = view("application/json");
            raw.metadata = view("{}");
            raw.payload = view(each->data);
            raw.version = each->version;
            raw.position = each->position;
            raw.time_unix_us = each->time_unix_us;
            raw.schema_version = 1;
            raw.tag_count = static_cast<std::uint32_t>(tags.size());
            raw.tags = tags.data();
            raw_.push_back(raw);
        }
        for (const auto& each : raw_) pointers_.push_back(&each);
    }
    messages(const messages&) = delete;
    messages& operator=(const messages&) = delete;
    [[nodiscard]] const fxc_message* const* data() const { return pointers_.data(); }
    [[nodiscard]] std::size_t size() const { return pointers_.size(); }

private:
    std::vector<std::vector<fxc_view>> tags_;
    std::vector<fxc_message> raw_;
    std::vector<const fxc_message*> pointers_;
};

logged_event message(std::string_view type, std::string_view stream, std::string_view data) {
    logged_event out;
    out.type = type;
    out.stream = stream;
    out.data = data;
    return out;
}

}  // namespace

struct loaded_plugin::folded {
    const loaded_plugin* owner;
    const fxc_aggregate_native* table;
    fxc_state* state = nullptr;
    std::string error;

    folded(const loaded_plugin* by, const fxc_aggregate_native* with) : owner{by}, table{with} {}
    folded(folded&& other) noexcept
        : owner{other.owner},
          table{other.table},
          state{std::exchange(other.state, nullptr)},
          error{std::move(other.error)} {}
    folded& operator=(folded&&) = delete;
    ~folded() {
        if (state != nullptr) table->release(owner->instance_, state);
    }
};

loaded_plugin::loaded_plugin(entry negotiate, std::string_view config) { boot(negotiate, config); }

loaded_plugin::loaded_plugin(const std::filesystem::path& path) {
    file_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (file_ == nullptr) throw std::runtime_error{dlerror()};
    boot(reinterpret_cast<entry>(dlsym(file_, FXC_ENTRY_SYMBOL)), "{}");
}

void loaded_plugin::boot(entry negotiate, std::string_view config) {
    const fxc_offer offer{sizeof offer, FXC_ABI_MAGIC, 1, 1, FXC_ABI_MINOR, 0, "test"};
    fxc_answer answer{};
    answer.struct_size = sizeof answer;
    if (negotiate(&offer, &answer) != FXC_OK)
        throw std::runtime_error{answer.error == nullptr ? "negotiation" : answer.error};
    library_ = answer.library;
    if (library_->open(host.raw()) != FXC_OK) throw std::runtime_error{"open failed"};
    fxc_buffer error{};
    if (library_->create(0, view(config), &instance_, &error) != FXC_OK) {
        library_->close();
        throw std::runtime_error{taken(error)};
    }
    const auto* life = find<fxc_lifecycle>(FXC_LIFECYCLE);
    const auto started = host.run({}, [&](fxc_call call) { life->start(instance_, call); });
    if (started.status != FXC_OK) {
        library_->destroy(instance_);
        library_->close();
        throw std::runtime_error{started.message};
    }
}

loaded_plugin::~loaded_plugin() {
    drain();
    library_->destroy(instance_);
    library_->close();
    if (file_ != nullptr) dlclose(file_);
}

loaded_plugin::folded loaded_plugin::fold(std::string_view category, std::string_view id,
                                          std::string_view snapshot, std::uint64_t from) const {
    folded out{this, find<fxc_aggregate_native>(FXC_AGGREGATE_NATIVE)};
    fxc_buffer error{};
    if (out.table->load(instance_, view(category), view(snapshot), &out.state, &error) != FXC_OK) {
        out.error = taken(error);
        return out;
    }
    const auto stream = std::string{category} + "-" + std::string{id};
    std::vector<const logged_event*> events;
    for (const auto& each : log)
        if (each.stream == stream && each.version > from) events.push_back(&each);
    const messages raw{events};
    if (out.table->evolve(instance_, out.state, raw.data(), raw.size(), &error) != FXC_OK)
        out.error = taken(error);
    return out;
}

outcome loaded_plugin::send(std::string_view category, std::string_view id, std::string_view type,
                            std::string_view data) {
    const auto now = fold(category, id, {}, 0);
    if (!now.error.empty()) throw std::runtime_error{now.error};
    const auto stream = std::string{category} + "-" + std::string{id};
    const auto command = message(type, stream, data);
    const messages raw{{&command}};
    auto answer = host.run({std::string{category}}, [&](fxc_call call) {
        now.table->decide(instance_, call, now.state, raw.data()[0]);
    });
    if (answer.status != FXC_OK) return answer;
    for (const auto& each : answer.events) {
        append(stream, each.type, each.data);
        log.back().tags = each.tags;
    }
    return answer;
}

void loaded_plugin::append(std::string_view stream, std::string_view type, std::string_view data) {
    auto event = message(type, stream, data);
    event.version =
        1 + static_cast<std::uint64_t>(std::count_if(
                log.begin(), log.end(), [&](const auto& each) { return each.stream == stream; }));
    event.position = ++position_;
    event.time_unix_us = now_unix_us++;
    log.push_back(std::move(event));
}

outcome loaded_plugin::project(std::string_view projection, std::size_t batch) {
    outcome last;
    while (true) {
        std::vector<const logged_event*> events;
        for (const auto& each : log)
            if (each.position > projected_ && events.size() < batch) events.push_back(&each);
        if (events.empty()) return last;
        const messages raw{events};
        last = host.run({std::string{projection}, "default", true}, [&](fxc_call call) {
            find<fxc_projection>(FXC_PROJECTION)->apply(instance_, call, raw.data(), raw.size());
        });
        if (last.status != FXC_OK) return last;
        projected_ = events.back()->position;
    }
}

outcome loaded_plugin::ask(std::string_view query, std::string_view params) {
    const auto asked = message(query, "", params);
    const messages raw{{&asked}};
    return host.run({std::string{query}}, [&](fxc_call call) {
        find<fxc_single>(FXC_QUERY_HANDLER)->handle(instance_, call, raw.data(), 1);
    });
}

outcome loaded_plugin::process(std::string_view bytes) {
    const auto input = message("", "", bytes);
    const messages raw{{&input}};
    return host.run({}, [&](fxc_call call) {
        find<fxc_single>(FXC_PROCESSOR)->handle(instance_, call, raw.data(), 1);
    });
}

outcome loaded_plugin::health() {
    return host.run(
        {}, [&](fxc_call call) { find<fxc_lifecycle>(FXC_LIFECYCLE)->health(instance_, call); });
}

outcome loaded_plugin::drain() {
    return host.run(
        {}, [&](fxc_call call) { find<fxc_lifecycle>(FXC_LIFECYCLE)->drain(instance_, call); });
}

std::string loaded_plugin::snapshot_of(std::string_view category, std::string_view id,
                                       std::optional<std::string> snapshot) const {
    const auto now = fold(category, id, snapshot.value_or(""), snapshot ? ~0ull : 0);
    if (!now.error.empty()) throw std::runtime_error{now.error};
    fxc_buffer out{};
    if (now.table->snapshot(instance_, now.state, &out) != FXC_OK)
        throw std::runtime_error{"snapshot failed"};
    return taken(out);
}

std::string loaded_plugin::fold_error(std::string_view category, std::string_view id) const {
    return fold(category, id, {}, 0).error;
}

}  // namespace flexcore::test
