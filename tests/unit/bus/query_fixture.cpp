#include "unit/bus/query_fixture.hpp"

namespace flexcore::test {

template class mailbox<result<answer_ptr>>;

scripted_handler::scripted_handler(script s) : script_{std::move(s)} {}

scripted_handler::~scripted_handler() = default;

void scripted_handler::handle(const bus::query& q, bus::query_views& views, done_function done) {
    runs.fetch_add(1);
    script_(q, views, std::move(done));
}

set_progress::~set_progress() = default;

store::position set_progress::reached(const std::vector<std::string>&) const { return at.load(); }

void set_progress::when_reached(const std::vector<std::string>&, store::position, deadline latest,
                                std::move_only_function<void(bool)> done) {
    const std::lock_guard lock{mutex};
    until = latest;
    waiting = std::move(done);
}

void set_progress::answer(bool how) {
    REQUIRE(eventually([&] {
        const std::lock_guard lock{mutex};
        return static_cast<bool>(waiting);
    }));
    auto done = std::move(waiting);
    done(how);
}

unseen_views::~unseen_views() = default;

result<std::vector<store::generation>> unseen_views::generations() { return of_.generations(); }
result<store::generation> unseen_views::create(std::string_view projection, std::uint32_t version,
                                               const std::vector<store::model_spec>& models) {
    return of_.create(projection, version, models);
}
result<void> unseen_views::serve(store::generation_id id) { return of_.serve(id); }
result<void> unseen_views::drop(store::generation_id id) { return of_.drop(id); }
result<void> unseen_views::set_paused(std::string_view projection, bool paused) {
    return of_.set_paused(projection, paused);
}
result<void> unseen_views::set_stopped(store::generation_id id, std::string_view why) {
    return of_.set_stopped(id, why);
}
result<std::unique_ptr<store::view_transaction>> unseen_views::begin(store::generation_id id,
                                                                     store::position expected) {
    return of_.begin(id, expected);
}
result<std::unique_ptr<store::view_reader>> unseen_views::read() {
    if (away) return fail(store::store_errc::unavailable, "the test says so");
    return of_.read();
}
void unseen_views::stop() { of_.stop(); }

query_world::query_world(bus::query_settings settings)
    : queries{settings, rows, progress, changes, everybody, workers, timers, metrics} {
    auto made = store.views->create(
        "p", 1, {{.name = "items", .indexed = {"n"}}, {.name = "hidden", .indexed = {}}});
    REQUIRE(made);
    generation = *made;
}

query_world::~query_world() { stop(); }

void query_world::put(const std::string& key, const std::string& json, bool bump) {
    auto change = store.views->begin(generation.id, checkpoint);
    if (!change) throw std::runtime_error{change.error().client};
    ++checkpoint;
    auto ok = (*change)->put("default", "items", key, json, checkpoint);
    if (ok) ok = (*change)->commit(checkpoint);
    if (!ok) throw std::runtime_error{ok.error().client};
    if (bump) this->bump(key);
}

void query_world::bump(const std::string& key) {
    changes.bump(bus::change_counters::row_slot("default", "items", key));
    changes.bump(bus::change_counters::model_slot("default", "items"));
}

std::shared_ptr<scripted_handler> query_world::add(bus::query_descriptor about,
                                                   scripted_handler::script script) {
    auto handler = std::make_shared<scripted_handler>(std::move(script));
    if (about.name.empty()) about.name = "q.item";
    if (about.reads.empty()) about.reads = {"items"};
    const auto added = queries.add(std::move(about), handler);
    REQUIRE(added);
    return handler;
}

std::shared_ptr<scripted_handler> query_world::add_get(bus::query_descriptor about) {
    return add(std::move(about),
               [](const bus::query&, bus::query_views& views, done_function done) {
                   auto row = views.get("items", "1");
                   if (!row) return done(std::unexpected{row.error()});
                   if (!*row) return done(fail(bus::bus_errc::not_found, "no such item"));
                   done((*row)->json);
               });
}

answer_box query_world::ask(bus::query q) {
    if (q.name.empty()) q.name = "q.item";
    answer_box box;
    queries.ask(std::move(q), box.receiver());
    return box;
}

answer_box query_world::ask() { return ask(bus::query{}); }

}  // namespace flexcore::test
