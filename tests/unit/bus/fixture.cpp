#include "unit/bus/fixture.hpp"

namespace flexcore::test {

template class mailbox<bool>;
template class mailbox<result<store::append_outcome>>;
template class mailbox<result<bus::command_reply>>;

world::world() : world(bus::event_bus_settings{}) {}

world::world(bus::event_bus_settings settings)
    : events{std::make_unique<bus::event_bus>(settings, *store.log, metrics)} {}

world::~world() { stop(); }

void world::stop() {
    store.log->stop();
    workers.stop();
    timers.stop();
    store.views->stop();
}

store::opened_store world::open() {
    store::store_settings settings;
    settings.url = "memory:";
    auto opened = store::open_store(settings, metrics, health);
    if (!opened) throw std::runtime_error{opened.error().client};
    return std::move(*opened);
}

store::append_request make_append(std::string tenant, std::string stream,
                                  std::vector<event_texts::one> events,
                                  store::expected_version expected) {
    auto own = std::make_shared<event_texts>();
    own->tenant = std::move(tenant);
    own->stream = std::move(stream);
    own->texts = std::move(events);
    own->tags.reserve(own->texts.size());
    for (const auto& text : own->texts) {
        auto& tags = own->tags.emplace_back(text.tags.begin(), text.tags.end());
        store::new_event event{};
        event.type = text.type;
        event.data = text.data;
        event.tags = tags;
        own->events.push_back(event);
    }
    store::append_request request;
    request.tenant = own->tenant;
    request.appends.push_back({.stream = own->stream, .expected = expected, .events = own->events});
    request.backing = own;
    return request;
}

result<store::append_outcome> append(store::event_log& log, std::string stream,
                                     std::vector<event_texts::one> events, std::string tenant) {
    mailbox<result<store::append_outcome>> answer;
    log.append(make_append(std::move(tenant), std::move(stream), std::move(events)),
               answer.receiver());
    return answer.get();
}

std::vector<std::shared_ptr<const store::event_batch>> read_pages(store::event_log& log,
                                                                  std::string_view stream,
                                                                  std::string_view tenant) {
    std::vector<std::shared_ptr<const store::event_batch>> pages;
    for (store::version from = 1; from != 0;) {
        auto page = log.read_stream(tenant, stream, from, 500, store::direction::forward);
        if (!page) break;
        pages.push_back(page->batch);
        from = page->next;
    }
    return pages;
}

bool open_gate::applied(store::position) const noexcept { return true; }

void open_gate::when_applied(store::position, deadline, std::move_only_function<void()> done) {
    done();
}

closed_gate::~closed_gate() = default;

bool closed_gate::applied(store::position) const noexcept { return false; }

void closed_gate::when_applied(store::position, deadline, std::move_only_function<void()> done) {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(done));
}

std::size_t closed_gate::waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_.size();
}

void closed_gate::open() {
    std::vector<std::move_only_function<void()>> all;
    {
        const std::lock_guard lock{mutex_};
        all.swap(waiting_);
    }
    for (auto& done : all) done();
}

}  // namespace flexcore::test
