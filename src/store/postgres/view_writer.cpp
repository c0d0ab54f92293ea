#include "store/postgres/view_writer.hpp"

#include "store/postgres/literal.hpp"
#include "store/postgres/view_session_impl.hpp"
#include "store/postgres/view_statements.hpp"
#include "store/row_query_impl.hpp"
#include "store/view_errors_impl.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <pqxx/row>

#include <algorithm>

namespace flexcore::store::postgres {
namespace {

// Longer than readers live; one that lives longer is told that its moment is gone.
constexpr std::chrono::seconds grace_of_tables{60};
constexpr std::chrono::seconds tables_again{10};

// Plans are made once and kept, whatever size the tables had then: each statement knows its rows
// by an index. What has none to use (one row, read whole) would then look dear enough for a
// compiler. Commits wait for the disk, and a standby: how far a model is, is remembered here, and
// must not go back in the database.
constexpr const char* session_text =
    "SET plan_cache_mode TO force_generic_plan;"
    "SET enable_seqscan TO off; SET enable_hashjoin TO off; SET enable_mergejoin TO off;"
    "SET jit TO off";

constexpr sql stands_at{"view_stands_at",
                        "SELECT checkpoint, commits FROM generations WHERE id = $1"};
constexpr sql pause_all{"view_pause", "UPDATE generations SET paused = $2 WHERE projection = $1"};
constexpr sql stop_one{"view_stop", "UPDATE generations SET stopped_because = $2 WHERE id = $1"};
constexpr sql serve_one{"view_serve", "UPDATE generations SET serving = true WHERE id = $1"};
constexpr sql drop_left{"view_drop_left", "SELECT drop_tables_left($1::interval)"};

const generation* find(const std::vector<generation>& all, generation_id id) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const generation& one) { return one.id == id; });
    return found == all.end() ? nullptr : &*found;
}

/// As it can be stored, whatever a message had in it.
std::string storable(std::string_view text) {
    auto out = to_utf8(text);
    std::replace(out.begin(), out.end(), '\0', ' ');
    return out;
}

result<void> done(result<pqxx::result> answer) {
    if (!answer) return fail(std::move(answer.error()));
    return {};
}

}  // namespace

sql view_writer::session::keep(std::string name, std::string text) {
    return {texts.emplace_back(std::move(name)).c_str(),
            texts.emplace_back(std::move(text)).c_str()};
}

result<view_writer::written_generation*> view_writer::session::of(generation_id id) {
    if (const auto kept = generations.find(id); kept != generations.end()) {
        return kept->second.get();
    }
    const auto all = read_generations(*db);
    if (!all) return fail(all.error());
    const auto* wanted = find(*all, id);
    if (wanted == nullptr) return fail(unknown_generation(id));
    auto made = std::make_unique<written_generation>();
    const auto tables = tables_of(*wanted);
    made->commit = keep(fmt::format("view_commit_{}", id), commit_text(id, tables));
    for (const auto& table : tables) {
        made->models.push_back(
            {.table = table,
             .get = keep(fmt::format("view_get_{}_{}", id, table.number), point_read_text(table)),
             .absent = {}});
    }
    return (generations[id] = std::move(made)).get();
}

view_writer::view_writer(connection_settings settings, std::shared_ptr<sessions> pool,
                         std::shared_ptr<view_moments> readers)
    : settings_{std::move(settings)}, pool_{std::move(pool)}, readers_{std::move(readers)} {}

view_writer::~view_writer() { stop(); }

result<view_writer::session*> view_writer::idle() {
    if (stopped_) return fail(views_stopped());
    if (session_ && session_->open) return fail(transaction_open());
    const auto age = pool_->age();
    if (session_ && session_->db->usable() && session_age_ == age) return session_.get();
    session_.reset();
    if (last_failure_ && monotonic::now() < pace_.next_try()) return fail(*last_failure_);
    auto db = connection::open(settings_);
    if (db) {
        if (auto ok = done((*db)->script(session_text)); !ok) db = fail(std::move(ok.error()));
    }
    if (!db) {
        pace_.failed();
        last_failure_ = db.error();
        return fail(std::move(db.error()));
    }
    pace_.succeeded();
    last_failure_.reset();
    session_ = std::make_shared<session>(std::move(*db));
    session_age_ = age;
    return session_.get();
}

template <class Work>
auto view_writer::repeated(Work work) -> decltype(work(std::declval<session&>())) {
    for (bool again = true;; again = false) {
        const auto in = idle();
        if (!in) return fail(in.error());
        auto answer = believing([&] { return work(**in); });
        if (answer || (*in)->db->usable() || !again) return answer;
    }
}

template <class Change>
result<void> view_writer::change_generations(bool other_tables_serve, Change change) {
    if (auto ok = repeated([](session& in) { return in.db->begin(); }); !ok) return ok;
    auto& db = *session_->db;
    const auto changed = believing([&]() -> result<void> {
        if (auto ok = lock_catalogue(db); !ok) return ok;
        const auto all = read_generations(db);
        if (!all) return fail(all.error());
        if (auto ok = change(db, *all); !ok) return ok;
        if (other_tables_serve) {
            if (auto ok = catalogue_changed(db); !ok) return ok;
            readers_->fix();
        }
        return db.commit();
    });
    if (!changed) db.roll_back();
    return changed;
}

void view_writer::drop_tables_left_when_due(session& in) {
    const auto now = monotonic::now();
    if (now < tables_due_) return;
    const auto left =
        in.db->run(drop_left, params{}.add(fmt::format("{} s", grace_of_tables.count())));
    if (!left) {
        telemetry::log(telemetry::level::warn, "store", "tables left over cannot be dropped yet",
                       {{"detail", std::string_view{left.error().log}}});
    }
    const bool more = !left || (*left)[0][0].as<std::int64_t>() != 0;
    tables_due_ = more ? now + tables_again : no_deadline;
}

result<std::vector<generation>> view_writer::generations() {
    return repeated([&](session& in) {
        auto all = read_generations(*in.db);
        if (all) drop_tables_left_when_due(in);
        return all;
    });
}

result<generation> view_writer::create(std::string_view projection, std::uint32_t version,
                                       const std::vector<model_spec>& models) {
    if (auto ok = check_models(models); !ok) return fail(ok.error());
    if (!is_storable(projection)) {
        return fail(store_errc::invalid_request, "the name of a projection is no text");
    }
    generation made;
    made.projection = projection;
    made.version = version;
    made.models = models;
    made.serving = true;
    const auto ok = change_generations(
        true, [&](connection& db, const std::vector<generation>& all) -> result<void> {
            for (const auto& other : all) {
                if (other.projection == projection) {
                    made.serving = false;
                    made.paused = other.paused;
                    continue;
                }
                for (const auto& taken : other.models) {
                    const bool clash = std::any_of(
                        models.begin(), models.end(),
                        [&](const model_spec& model) { return model.name == taken.name; });
                    if (clash) return fail(model_taken(taken.name));
                }
            }
            return add_generation(db, made);
        });
    if (!ok) return fail(ok.error());
    return made;
}

result<void> view_writer::serve(generation_id id) {
    return change_generations(
        true, [&](connection& db, const std::vector<generation>& all) -> result<void> {
            const auto* wanted = find(all, id);
            if (wanted == nullptr) return fail(unknown_generation(id));
            for (const auto& other : all) {
                if (other.id == id || other.projection != wanted->projection) continue;
                session_->generations.erase(other.id);
                if (auto ok = drop_generation(db, other); !ok) return ok;
                tables_due_ = std::min(tables_due_, monotonic::now() + grace_of_tables);
            }
            return done(db.run(serve_one, params{}.add(id)));
        });
}

result<void> view_writer::drop(generation_id id) {
    return change_generations(
        true, [&](connection& db, const std::vector<generation>& all) -> result<void> {
            const auto* gone = find(all, id);
            if (gone == nullptr) return fail(unknown_generation(id));
            session_->generations.erase(id);
            tables_due_ = std::min(tables_due_, monotonic::now() + grace_of_tables);
            return drop_generation(db, *gone);
        });
}

result<void> view_writer::set_paused(std::string_view projection, bool paused) {
    return change_generations(
        false, [&](connection& db, const std::vector<generation>&) -> result<void> {
            return done(db.run(pause_all, params{}.add(storable(projection)).add(paused)));
        });
}

result<void> view_writer::set_stopped(generation_id id, std::string_view why) {
    const auto stopped = repeated(
        [&](session& in) { return in.db->run(stop_one, params{}.add(id).add(storable(why))); });
    if (!stopped) return fail(stopped.error());
    if (stopped->affected_rows() == 0) return fail(unknown_generation(id));
    return {};
}

result<std::unique_ptr<view_transaction>> view_writer::begin(generation_id id, position expected) {
    const auto found =
        repeated([&](session& in) { return in.db->run(stands_at, params{}.add(id)); });
    if (!found) return fail(found.error());
    if (found->empty()) return fail(unknown_generation(id));
    const auto checkpoint = (*found)[0][0].as<position>();
    const auto commits = (*found)[0][1].as<std::int64_t>();
    if (checkpoint != expected) return fail(checkpoint_elsewhere(checkpoint, expected));
    drop_tables_left_when_due(*session_);
    const auto on = session_->of(id);
    if (!on) return fail(on.error());
    if ((*on)->commits != commits) {
        // Somebody else has written, or nothing was known yet. Nothing is there before the first.
        (*on)->commits = commits;
        (*on)->knowledge = ++session_->last_knowledge;
        for (auto& model : (*on)->models) {
            model.absent.reset();
            if (commits == 0) model.absent.emplace();
        }
    }
    session_->open = true;
    return std::make_unique<transaction>(session_, **on, id, checkpoint, readers_);
}

void view_writer::stop() {
    stopped_ = true;
    if (session_) session_->stopped = true;  // an open transaction still has it
    session_.reset();
}

}  // namespace flexcore::store::postgres
