#include "store/sqlite/view_writer.hpp"

#include "store/row_query_impl.hpp"
#include "store/sqlite/migrations.hpp"
#include "store/sqlite/view_session_impl.hpp"
#include "store/view_errors_impl.hpp"
#include "telemetry/log.hpp"

#include <algorithm>

namespace flexcore::store::sqlite {
namespace {

constexpr std::uint64_t frame_header_bytes = 24;

const generation* find(const std::vector<generation>& all, generation_id id) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const generation& one) { return one.id == id; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace

result<void> view_writer::session::prepare() {
    const auto page_bytes = db.integer("PRAGMA page_size");
    if (!page_bytes) return fail(page_bytes.error());
    frame_bytes = static_cast<std::uint64_t>(*page_bytes) + frame_header_bytes;
    sqlite3_wal_hook(
        db.get(),
        [](void* self, sqlite3*, const char*, int frames) {
            static_cast<session*>(self)->wal_frames = frames;
            return SQLITE_OK;
        },
        this);
    const std::pair<statement*, std::string_view> all[] = {
        {&begin, "BEGIN IMMEDIATE"},
        {&commit, "COMMIT"},
        {&checkpoint_of, "SELECT checkpoint FROM generations WHERE id=?1"},
        {&set_checkpoint, "UPDATE generations SET checkpoint=?2 WHERE id=?1"},
        {&set_changed_at,
         "UPDATE models SET changed_at=max(changed_at, ?3) WHERE generation=?1 AND number=?2"},
    };
    for (const auto& [out, sql] : all) {
        if (auto ok = db.prepare(*out, sql); !ok) return ok;
    }
    return {};
}

result<view_writer::session::prepared_generation*> view_writer::session::of(generation_id id) {
    if (const auto kept = generations.find(id); kept != generations.end()) {
        return kept->second.get();
    }
    const auto all = read_generations(db);
    if (!all) return fail(all.error());
    const auto* wanted = find(*all, id);
    if (wanted == nullptr) return fail(unknown_generation(id));
    auto made = std::make_unique<prepared_generation>(db);
    made->tables.use(tables_of(*wanted));
    for (auto& model : tables_of(*wanted)) {
        made->writes.push_back({.model = std::move(model), .put = {}, .remove = {}});
    }
    return (generations[id] = std::move(made)).get();
}

void view_writer::session::roll_back() {
    db.roll_back();
    // A transaction that cannot be left ends with its connection.
    if (db.in_transaction()) broken = true;
}

void view_writer::session::checkpoint_when_due() {
    if (static_cast<std::uint64_t>(wal_frames) * frame_bytes <= wal_bytes_max ||
        wal_frames < wal_frames_retry) {
        return;
    }
    const auto done = db.checkpoint(false);
    if (!done) {
        telemetry::log(telemetry::level::warn, "store", "a checkpoint of the read models failed",
                       {{"detail", std::string_view{done.error().log}}});
    }
    if (done && done->done_frames == done->wal_frames) {
        wal_frames = 0;
        wal_frames_retry = 0;
    } else {
        wal_frames_retry = wal_frames + 1 + static_cast<int>(wal_bytes_max / 4 / frame_bytes);
    }
}

result<std::unique_ptr<view_writer>> view_writer::open(const connection_settings& settings,
                                                       std::uint64_t wal_bytes_max) {
    std::unique_ptr<view_writer> made{new view_writer{settings, wal_bytes_max}};
    if (auto ok = made->connect(); !ok) return fail(std::move(ok.error()));
    // Damage is to show before anyone relies on what is there.
    const auto all = read_generations(made->session_->db);
    if (!all) return fail(all.error());
    if (auto ok = check_views(made->session_->db, *all); !ok) return fail(std::move(ok.error()));
    return made;
}

view_writer::~view_writer() { stop(); }

result<void> view_writer::connect() {
    auto db = connection::open(settings_);
    if (!db) return fail(std::move(db.error()));
    if (auto ok = migrate(*db, view_migrations(), view_store_application); !ok) return ok;
    auto made = std::make_shared<session>(std::move(*db), wal_bytes_max_);
    if (auto ok = made->prepare(); !ok) return ok;
    session_ = std::move(made);
    return {};
}

result<view_writer::session*> view_writer::idle() {
    if (stopped_) return fail(views_stopped());
    if (session_ && session_->open) return fail(transaction_open());
    if (session_ && session_->broken) session_.reset();
    if (!session_) {
        if (auto ok = connect(); !ok) return fail(std::move(ok.error()));
    }
    return session_.get();
}

template <class Change>
result<void> view_writer::change_catalogue(Change change) {
    const auto in = idle();
    if (!in) return fail(in.error());
    auto& db = (*in)->db;
    if (auto ok = (*in)->noted(db.run((*in)->begin, "begin a change")); !ok) return ok;
    auto done = [&]() -> result<void> {
        const auto all = read_generations(db);
        if (!all) return fail(all.error());
        if (auto ok = change(db, *all); !ok) return ok;
        if (auto ok = catalogue_changed(db); !ok) return ok;
        return db.run((*in)->commit, "commit a change");
    }();
    done = (*in)->noted(std::move(done));
    if (!done) (*in)->roll_back();
    return done;
}

result<std::vector<generation>> view_writer::generations() {
    const auto in = idle();
    if (!in) return fail(in.error());
    return (*in)->noted(read_generations((*in)->db));
}

result<generation> view_writer::create(std::string_view projection, std::uint32_t version,
                                       const std::vector<model_spec>& models) {
    if (auto ok = check_models(models); !ok) return fail(ok.error());
    generation made;
    made.projection = projection;
    made.version = version;
    made.models = models;
    const auto done =
        change_catalogue([&](connection& db, const std::vector<generation>& all) -> result<void> {
            made.serving = true;
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
            const auto id = add_generation(db, made);
            if (!id) return fail(id.error());
            made.id = *id;
            return {};
        });
    if (!done) return fail(done.error());
    return made;
}

result<void> view_writer::serve(generation_id id) {
    return change_catalogue(
        [&](connection& db, const std::vector<generation>& all) -> result<void> {
            const auto* wanted = find(all, id);
            if (wanted == nullptr) return fail(unknown_generation(id));
            session_->forget_generations();
            for (const auto& other : all) {
                if (other.id == id || other.projection != wanted->projection) continue;
                if (auto ok = drop_generation(db, other); !ok) return ok;
            }
            auto serves = db.prepare("UPDATE generations SET serving=1 WHERE id=?1");
            if (!serves) return fail(serves.error());
            return db.run(serves->bind(1, id), "serve a generation");
        });
}

result<void> view_writer::drop(generation_id id) {
    return change_catalogue(
        [&](connection& db, const std::vector<generation>& all) -> result<void> {
            const auto* gone = find(all, id);
            if (gone == nullptr) return fail(unknown_generation(id));
            session_->forget_generations();
            return drop_generation(db, *gone);
        });
}

result<void> view_writer::set_paused(std::string_view projection, bool paused) {
    const auto in = idle();
    if (!in) return fail(in.error());
    auto change =
        (*in)->noted((*in)->db.prepare("UPDATE generations SET paused=?2 WHERE projection=?1"));
    if (!change) return fail(change.error());
    change->bind(1, projection).bind(2, std::int64_t{paused});
    return (*in)->noted((*in)->db.run(*change, "pause a projection"));
}

result<void> view_writer::set_stopped(generation_id id, std::string_view why) {
    const auto in = idle();
    if (!in) return fail(in.error());
    auto change =
        (*in)->noted((*in)->db.prepare("UPDATE generations SET stopped_because=?2 WHERE id=?1"));
    if (!change) return fail(change.error());
    change->bind(1, id).bind(2, why);
    auto done = (*in)->noted((*in)->db.run(*change, "stop a generation"));
    if (done && sqlite3_changes((*in)->db.get()) == 0) return fail(unknown_generation(id));
    return done;
}

result<std::unique_ptr<view_transaction>> view_writer::begin(generation_id id, position expected) {
    const auto in = idle();
    if (!in) return fail(in.error());
    auto& db = (*in)->db;
    // Not behind the commit that made it due: whoever waits for those rows is told first.
    (*in)->checkpoint_when_due();
    const auto on = (*in)->noted((*in)->of(id));
    if (!on) return fail(on.error());
    if (auto ok = (*in)->noted(db.run((*in)->begin, "begin a transaction")); !ok) {
        return fail(std::move(ok.error()));
    }
    (*in)->open = true;
    auto made = std::make_unique<transaction>(session_, **on, id, expected);
    run_scope scope{(*in)->checkpoint_of};
    const int code = (*in)->checkpoint_of.bind(1, id).step();
    if (code == SQLITE_DONE) return fail(unknown_generation(id));
    if (code != SQLITE_ROW) {
        return (*in)->noted(
            result<std::unique_ptr<view_transaction>>{fail(db.failure(code, "read a checkpoint"))});
    }
    const position stands_at = (*in)->checkpoint_of.natural(0);
    if (stands_at != expected) return fail(checkpoint_elsewhere(stands_at, expected));
    return made;
}

void view_writer::stop() {
    if (std::exchange(stopped_, true) || !session_) return;
    session_->roll_back();
    if (const auto done = session_->db.checkpoint(true); !done) {
        telemetry::log(telemetry::level::warn, "store", "the read models' WAL stays as it is",
                       {{"detail", std::string_view{done.error().log}}});
    }
    session_.reset();
}

}  // namespace flexcore::store::sqlite
