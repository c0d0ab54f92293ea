#include "store/sqlite/view_reader.hpp"

namespace flexcore::store::sqlite {

result<std::unique_ptr<view_snapshot_reader>> view_snapshot_reader::open(
    const connection_settings& settings) {
    auto db = connection::open(settings);
    if (!db) return fail(std::move(db.error()));
    std::unique_ptr<view_snapshot_reader> made{new view_snapshot_reader{std::move(*db)}};
    const std::pair<statement*, std::string_view> all[] = {
        {&made->begin_, "BEGIN"},
        {&made->commit_, "COMMIT"},
        {&made->changes_, "SELECT changes FROM catalogue"},
    };
    for (const auto& [out, sql] : all) {
        if (auto ok = made->db_.prepare(*out, sql); !ok) return fail(std::move(ok.error()));
    }
    return made;
}

result<void> view_snapshot_reader::begin() {
    if (auto ok = db_.run(begin_, "begin a read"); !ok) return ok;
    std::int64_t changes = 0;
    {
        run_scope scope{changes_};
        const int code = changes_.step();
        if (code != SQLITE_ROW) return fail(db_.failure(code, "read the catalogue"));
        changes = changes_.integer(0);
    }
    if (changes == changes_seen_) return {};
    auto serving = read_serving_models(db_);
    if (!serving) return fail(serving.error());
    tables_.use(std::move(*serving));
    changes_seen_ = changes;
    return {};
}

result<void> view_snapshot_reader::end() { return db_.run(commit_, "end a read"); }

}  // namespace flexcore::store::sqlite
